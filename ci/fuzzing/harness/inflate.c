// native/bundle: a stream of DEFLATE, in pieces as long as its first byte says.
#include "inflate.h"

#include "input.h"

struct source {
    struct input left;
    size_t       piece;
    uint8_t *    given; // exactly as long as the piece: reading past it is seen
};

static int64_t next_piece(void * from, const uint8_t ** data) {
    struct source * source = from;
    size_t          size   = source->piece < source->left.size ? source->piece : source->left.size;
    free(source->given);
    source->given = malloc(size ? size : 1);
    memcpy(source->given, source->left.data, size);
    source->left.data += size;
    source->left.size -= size;
    *data = source->given;
    return (int64_t) size;
}

int LLVMFuzzerTestOneInput(const uint8_t * data, size_t size) {
    size_t taken = 0;
    if (size > 0) {
        struct source source = {{data + 1, size - 1}, data[0] < 200 ? data[0] + 1u : size, NULL};
        inflate_stream(next_piece, &source, sink_write, &taken);
        free(source.given);
    }
    return 0;
}
