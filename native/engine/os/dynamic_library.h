// Shared libraries of the user's system.
#pragma once

#include <string>

// On Windows: no library is taken from the current directory any more, where anybody may have put one.
void library_folders_restrict();

// Whether the system finds and loads a library of that name. It stays loaded.
bool library_present(const std::string & name);

// The first library that the module at `path` wants and the system does not have, or "" if it has all,
// or if only loading it will tell.
std::string library_missing(const std::string & path);
