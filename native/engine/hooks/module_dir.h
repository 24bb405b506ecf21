// Where the engine's own modules lie, and which of them computes on the CPU. Nothing else is searched.
#pragma once

#include "ggml.h"

#ifdef __cplusplus
extern "C" {
#endif

// Sets the folder (UTF-8) that modules are taken from. Call it once, at start.
GGML_API void module_dir_set(const char * path);

GGML_API const char * module_dir_get(void);

struct cpu_module {
    const char * name;    // as in its file's name, such as "haswell"; "baseline" where that has none
    const char * path;
    const char * trouble; // why this machine does not run it, or ""
    int          score;   // the highest is the fastest; 0: it does not run here
};

// The CPU modules in that folder, the fastest first; none where the CPU's code is in the program.
GGML_API const struct cpu_module * cpu_modules(size_t * count);

// Sets the one that ggml_backend_load_all loads. Until then it loads nothing.
GGML_API void cpu_module_set(const struct cpu_module * module);

#ifdef __cplusplus
}
#endif
