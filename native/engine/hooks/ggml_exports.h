// Included by the compiler in front of ggml's sources for Windows. Upstream leaves exports to the
// linker where the C library is MinGW's; that would export parts of the C++ library too, and leave
// out ggml as soon as one function is exported by hand. So its headers are read as by MSVC.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#pragma push_macro("__MINGW32__")
#undef __MINGW32__
#include "ggml.h"
#include "ggml-backend.h"
#pragma pop_macro("__MINGW32__")
