// Which GPU a start uses: from --gpu and -ngl, what the bundle has modules for, and what this machine is.
#pragma once

#include "bundle.h"
#include "options.h"

#include <string>

// Chooses, loads its module, and lets `opts` name the devices where not all of a module's are meant.
// `program` is this engine's own file. Says on stderr why it is the CPU, where somebody would ask.
// Throws user_error if --gpu asks for something that this machine or this file cannot give.
void gpu_choose(options & opts, const bundle & from, const std::string & program);
