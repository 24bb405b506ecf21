// Included by the compiler in front of upstream's arg.cpp, which reads more than it is given.
#pragma once

// Upstream takes options from config files of the machine and of the user's home, if they exist. For
// a file that brings all it needs they do not. In that source `exists` asks for nothing else.
#include <filesystem>
#define exists(path, error) exists(std::filesystem::file_status())

// On Windows it reads the process's own command line again where that has as many words as the one it
// was given; ours is another one.

#ifdef _WIN32
#    ifndef WIN32_LEAN_AND_MEAN
#        define WIN32_LEAN_AND_MEAN
#    endif
#    ifndef NOMINMAX
#        define NOMINMAX
#    endif
#    include <windows.h>
#    include <shellapi.h>
#    define CommandLineToArgvW(line, count) ((LPWSTR *) nullptr)
#endif
