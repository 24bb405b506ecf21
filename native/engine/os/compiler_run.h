// Finds and runs the user's compilers. All texts are UTF-8.
#pragma once

#include <string>
#include <vector>

// The path of a program that PATH names, or that lies in one of `folders` besides; "" if there is none.
// On Windows `name` is without its .exe.
std::string compiler_find(const std::string & name, const std::vector<std::string> & folders);

// What a program prints on stdout, or "" if it cannot be started or fails.
std::string compiler_output(const std::vector<std::string> & words);

// Runs a program in `folder`; what it prints is appended to the file `log`. Returns its exit status,
// or -1 if it cannot be started.
int compiler_run(const std::vector<std::string> & words, const std::string & folder, const std::string & log);

// What the compiler of a kind of GPU needs on this system besides its own flags, such as where nvcc finds
// cl.exe. Throws user_error where something that it needs is not installed.
std::vector<std::string> compiler_flags(const std::string & kind);
