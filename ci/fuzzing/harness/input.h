// What the harnesses share: the input as a file, and a sink with a limit.
#ifndef LLAMAPACK_FUZZ_INPUT_H
#define LLAMAPACK_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

// Takes one input. What is wrong with the code under test ends the process.
int LLVMFuzzerTestOneInput(const uint8_t * data, size_t size);

#ifdef __cplusplus
}
#endif

struct input {
    const uint8_t * data;
    size_t          size;
};

// A zip_read_at; takes a struct input *.
static inline int64_t input_read(void * file, void * buf, size_t size, uint64_t offset) {
    const struct input * input = (const struct input *) file;
    uint64_t             left  = offset < input->size ? input->size - offset : 0;
    size_t               got   = size < left ? size : (size_t) left;
    if (got > 0) {
        memcpy(buf, input->data + offset, got);
    }
    return (int64_t) got;
}

// A zip_sink that touches every byte and refuses once there were a million; takes a size_t *.
static inline int sink_write(void * sink, const void * data, size_t size) {
    static volatile uint8_t touched;
    const uint8_t *         bytes = (const uint8_t *) data;
    uint8_t                 sum   = 0;
    for (size_t i = 0; i < size; i++) {
        sum ^= bytes[i];
    }
    touched = sum;
    *(size_t *) sink += size;
    return *(size_t *) sink > 1000000;
}

// Ends the process unless `right`.
static inline void check(int right) {
    if (!right) {
        abort();
    }
}

#endif
