// Tries a CPU module in a process of its own, so that one that crashes takes nothing along.
#pragma once

#include "module_dir.h"

#include <string>

// Why `module` does not compute on this processor, or "". The answer is kept beside the module: that it does
// for good, that it does not for a day. `program` is this engine.
std::string cpu_trial(const std::string & program, const cpu_module & module);

// In the child, at the start of main(): true if it was one; then the process should end with status 0.
bool cpu_trial_answer();
