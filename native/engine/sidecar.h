// A bundle without weights finds them beside itself: `NAME.exe`, which Windows starts only below
// 4 GiB, and `NAME.llamafile`, `NAME` or `NAME.gguf`.
#pragma once

#include <string>

// All paths are UTF-8. `bundle` is the path of the bundle that this engine was started from.

// The path of `NAME.llamafile` beside it, or of a bundle called `NAME`, or "".
std::string sidecar_bundle(const std::string & bundle);

// The path of `NAME.gguf` beside it, or "".
std::string sidecar_weights(const std::string & bundle);

// The path of the file `name` beside it, or "".
std::string sidecar_file(const std::string & bundle, const std::string & name);
