// Upstream's programs, called as functions.
#pragma once

#include <string>
#include <vector>

// Calls one of them with these words; argv[0] is the program's name. Returns its exit status.
int upstream_run(int (*program)(int, char **), const std::vector<std::string> & argv);
