// --recompile: builds a GPU module for this very machine from the sources in the bundle.
#pragma once

#include "bundle.h"

#include <string>

// Builds the module of that kind, with progress on stderr, unless it was built before.
// Throws user_error: no sources, no compiler, no card, or the compiler fails.
void recompile(const bundle & from, const std::string & kind, const std::string & program);

// The library (path) that was built here from this bundle's sources, or "".
std::string recompiled(const bundle & from, const std::string & kind);
