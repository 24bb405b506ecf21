// Files for readers that take a path only. They hold small members of a bundle.
#pragma once

#include <string>

// Writes `contents` to a file that only this user can read, and returns its path.
// Throws user_error if no file can be made.
std::string temporary_file_write(const std::string & contents);

// Removes the files made so far. Called at exit, also by hand before _exit().
void temporary_files_remove();
