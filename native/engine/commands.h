// Upstream's own programs, as they are: `FILE bench -m /zip/X.gguf`.
#pragma once

#include <string>
#include <vector>

// True if `words` begin with the name of one.
bool command_is(const std::vector<std::string> & words);

// Runs it; returns its exit status. `/zip/NAME` is a member of the bundle at `own`, and --gpu is ours.
// Throws user_error.
int command_run(const std::string & program, const std::string & own, std::vector<std::string> words);
