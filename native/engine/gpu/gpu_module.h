// The GPU modules that travel in the bundle: `gpu/TARGET/KIND/FILE`, listed in SHA256SUMS beside them.
#pragma once

#include "bundle.h"

#include <string>

// CACHE/gpu, beside CACHE/engines where this engine lies (UTF-8).
std::string gpu_cache();

// Makes that folder, private to the user, and removes what starts and compilations that were interrupted
// left in it. These may take hours; after a day nobody works on it any more.
void gpu_cache_prepare();

// What modules are linked with (UTF-8): this engine's ggml-base, on Windows its import library.
std::string gpu_base_library();

// SHA-256 of a text, 64 hex digits.
std::string sha256_hex_of(const std::string & text);

// Whether `from` has a module of that kind for this engine.
bool gpu_module_has(const bundle & from, const std::string & kind);

// The path (UTF-8) of the module's library, put into the cache if it is not there yet.
// Throws user_error if the module is damaged or the cache cannot be written.
std::string gpu_module_install(const bundle & from, const std::string & kind);

// For a module that could not be loaded: compares its hashes and, if they are wrong, unpacks it anew.
// Returns whether it did.
bool gpu_module_mend(const bundle & from, const std::string & kind);
