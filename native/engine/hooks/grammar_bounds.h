// Included by the compiler in front of upstream's llama-grammar.cpp, whose assertions stand where its
// work is done: each character of each token that is compared with the grammar. A grammar may ask for more
// of them than there is time.
#pragma once

#include "ggml.h"

#include <string_view>

// Throws where one token has taken too long.
void grammar_work_begin();
void grammar_work();

#ifdef LLAMAPACK_GRAMMAR_BOUNDS
#    undef GGML_ASSERT
#    define GGML_ASSERT(x)                                                        \
        do {                                                                      \
            if constexpr (std::string_view(#x) == "grammar.vocab != nullptr") {   \
                grammar_work_begin();                                             \
            } else {                                                              \
                grammar_work();                                                   \
            }                                                                     \
            if (!(x)) GGML_ABORT("GGML_ASSERT(%s) failed", #x);                   \
        } while (0)
#endif
