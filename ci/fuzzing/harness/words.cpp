// native/engine: `.args` into words, which bring either words or a user_error.
#include "words.h"

#include "input.h"
#include "user_error.h"

int LLVMFuzzerTestOneInput(const uint8_t * data, size_t size) {
    const std::string text((const char *) data, size);
    for (const bool expand : { false, true }) {
        try {
            const auto words  = words_parse(text, expand);
            const auto merged = words_merge(words, { "-m", "..." });
            check(merged.size() >= 2 && words_without(merged, merged.size(), 0).size() == 2);
        } catch (const user_error &) {
        }
    }
    return 0;
}
