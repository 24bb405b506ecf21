// native/engine: members of an archive as gzip streams, and back.
#include "gzip_member.h"

#include "ggml.h"
#include "input.h"

static input given;

FILE * ggml_fopen(const char *, const char * mode) {
    return given.size ? fmemopen((void *) given.data, given.size, mode) : nullptr;
}

int LLVMFuzzerTestOneInput(const uint8_t * data, size_t size) {
    archive from;
    given = { data, size };
    if (!from.open("x")) {
        for (size_t i = 0; i < from.directory().count && i < 4; i++) {
            const std::string stream = gzip_member(from, from.directory().members[i]);
            if (!stream.empty()) {
                gzip_plain(stream.data(), stream.size());
            }
        }
    }
    return 0;
}
