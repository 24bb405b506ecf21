// The process that started this one, where that is an engine too.
#pragma once

#include <string>

// Ends this process as soon as the process `number`, which has started it, has ended; and only then: a
// Ctrl-C in the terminal is for that one. Upstream's own watch begins when a model is loaded.
void parent_follow(const std::string & number);

// The number of this process.
std::string process_number();
