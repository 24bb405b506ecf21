// Where the engine's own modules lie. Nothing else is searched.
#pragma once

#include "ggml.h"

#ifdef __cplusplus
extern "C" {
#endif

// Sets the folder (UTF-8) that ggml_backend_load_all takes modules from. Call it once, at start.
GGML_API void module_dir_set(const char * path);

GGML_API const char * module_dir_get(void);

#ifdef __cplusplus
}
#endif
