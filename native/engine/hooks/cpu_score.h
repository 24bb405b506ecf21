// What CPU modules for x86 export besides upstream's functions. Compiled into each of them.
#pragma once

#include "ggml-backend.h"

// Upstream's score, renamed: what the processor says.
int ggml_backend_score_of_cpuid(void);

// In place of it: 0 where the operating system keeps back what the module needs.
GGML_BACKEND_API int ggml_backend_score(void);

// Why this machine does not run the module, or "".
GGML_BACKEND_API const char * cpu_trouble(void);
