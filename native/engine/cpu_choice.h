// Which of the engine's CPU modules computes.
#pragma once

#include <string>

// Loads the module that `asked` (the value of --cpu) or LLAMAPACK_CPU names, or else the fastest that
// runs here, which this engine, `program`, has tried once in a process of its own. `tell`: says on stderr
// which. Throws user_error for a name that cannot be had.
void cpu_choose(const std::string & program, const std::string & asked, bool tell);

// Whether somebody only asks what a start would take; if so, the answer is printed as JSON.
bool cpu_probe_answer(const std::string & program);
