// The GPU modules that travel in the bundle: `gpu/TARGET/KIND/FILE`, listed in SHA256SUMS beside them.
#pragma once

#include "bundle.h"

#include <string>

// Whether `from` has a module of that kind for this engine.
bool gpu_module_has(const bundle & from, const std::string & kind);

// The path (UTF-8) of the module's library, put into the cache if it is not there yet.
// Throws user_error if the module is damaged or the cache cannot be written.
std::string gpu_module_install(const bundle & from, const std::string & kind);
