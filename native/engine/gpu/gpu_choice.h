// Which GPU a start uses: from --gpu and -ngl, what the bundle has modules for, and what this machine is.
#pragma once

#include "bundle.h"
#include "options.h"

#include <string>

// Chooses, tries its module, and lets `opts` name the devices where not all of a module's are meant.
// `program` is this engine's own file. Says on stderr why it is the CPU, where somebody would ask.
// Throws user_error if --gpu asks for something that this machine or this file cannot give.
void gpu_choose(options & opts, const bundle & from, const std::string & program);

// Loads the module that was chosen, if one was: a driver starts threads, so not before the sandbox is closed.
// Throws user_error.
void gpu_begin();

// Whether one was.
bool gpu_is_chosen();

// For a process whose children choose: compiles and unpacks now what they may take, as --gpu and --recompile
// say. Returns whether there is any.
bool gpu_prepare(const options & opts, const bundle & from, const std::string & program);
