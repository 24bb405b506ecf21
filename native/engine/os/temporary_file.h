// Files for readers that take a path only. They hold small members of a bundle.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

// Makes a file at `path` (UTF-8) that only this user can read; null where it cannot be made, or is there.
FILE * file_create_private(const std::string & path);

// Writes `contents` to a file that only this user can read, and returns its path.
// Throws user_error if no file can be made.
std::string temporary_file_write(const std::string & contents);

// Those on the disk that were made so far.
std::vector<std::string> temporary_files();

// Removes the files made so far. Called at exit, also by hand before _exit().
void temporary_files_remove();
