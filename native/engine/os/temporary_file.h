// Files for readers that take a path only. They hold small members of a bundle.
#pragma once

#include <string>
#include <vector>

// Writes `contents` to a file that only this user can read, and returns its path.
// Throws user_error if no file can be made.
std::string temporary_file_write(const std::string & contents);

// Those on the disk that were made so far.
std::vector<std::string> temporary_files();

// Removes the files made so far. Called at exit, also by hand before _exit().
void temporary_files_remove();
