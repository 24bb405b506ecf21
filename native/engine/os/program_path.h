// What a program has to ask its operating system about itself.
#pragma once

#include <string>
#include <vector>

// The file that this program was started from (UTF-8, absolute where that can be had), or "" where
// nothing tells.
std::string program_file(int argc, char ** argv);

// The user's words (UTF-8) without the program's name.
std::vector<std::string> program_arguments(int argc, char ** argv);

// Opens nothing on standard streams that are closed, so that no file of ours becomes one of them.
void standard_streams_open();

// True when nobody sits at a terminal and nothing is piped in: a double click on a desktop, a service.
bool terminal_absent();

// A variable of this process's environment (UTF-8), or "" where it is not set.
std::string environment_get(const char * name);

// Sets a variable (UTF-8) for the processes that this one starts.
void environment_set(const char * name, const std::string & value);

// Takes a variable out of this process's environment, so that children do not see it.
void environment_remove(const char * name);
