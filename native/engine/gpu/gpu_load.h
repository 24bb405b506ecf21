// Loads a GPU module into this process.
#pragma once

#include "ggml-backend.h"

#include <string>

// The backend of the module at `path` (UTF-8), registered with ggml; null if it cannot be loaded.
ggml_backend_reg_t gpu_load(const std::string & path);
