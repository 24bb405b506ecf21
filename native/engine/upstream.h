// Upstream's programs, called as functions.
#pragma once

#include <functional>
#include <string>
#include <vector>

// Calls one of them with these words; argv[0] is the program's name. Returns its exit status.
int upstream_run(const std::function<int(int, char **)> & program, const std::vector<std::string> & argv);
