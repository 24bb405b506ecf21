// native/engine: what a request's JSON would cost, counted before anything reads it.
#include "json_bounds.h"

#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t * data, size_t size) {
    const json_bounds bounds(std::string((const char *) data, size));
    check(bounds.refusal.size() < 200);
    return 0;
}
