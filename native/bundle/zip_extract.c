#include "zip_extract.h"

#include "crc32.h"
#include "inflate.h"

#include <stdlib.h>
#include <string.h>

enum { INPUT_SIZE = 65536 };

struct extraction {
    const struct zip_directory * dir;
    uint64_t                     offset; // of the compressed bytes not yet read
    uint64_t                     left;   // how many of them there are
    uint64_t                     room;   // how many bytes of contents may still come
    zip_sink                     write;
    void *                       sink;
    struct crc32                 crc;
    uint8_t                      input[INPUT_SIZE];
};

static int64_t read_input(void * source, const uint8_t ** data) {
    struct extraction * x    = source;
    size_t              size = x->left < INPUT_SIZE ? (size_t) x->left : INPUT_SIZE;
    if (size > 0 && x->dir->read(x->dir->file, x->input, size, x->offset) != (int64_t) size) {
        return -1;
    }
    x->offset += size;
    x->left -= size;
    *data = x->input;
    return (int64_t) size;
}

static int write_output(void * sink, const void * data, size_t size) {
    struct extraction * x = sink;
    if (size > x->room) {
        x->room = UINT64_MAX;
        return -1;
    }
    x->room -= size;
    crc32_update(&x->crc, data, size);
    return x->write(x->sink, data, size);
}

static const char * copy_stored(struct extraction * x) {
    const uint8_t * data;
    int64_t         size;
    while ((size = read_input(x, &data)) > 0) {
        if (write_output(x, data, (size_t) size) != 0) {
            return x->room == UINT64_MAX ? "it is longer than the ZIP directory says" : "it cannot be written";
        }
    }
    return size < 0 ? "it cannot be read" : NULL;
}

static const char * copy_deflated(struct extraction * x) {
    switch (inflate_stream(read_input, x, write_output, x)) {
        case INFLATE_OK:        return NULL;
        case INFLATE_READ:      return "it cannot be read";
        case INFLATE_NO_MEMORY: return "out of memory";
        case INFLATE_WRITE:
            return x->room == UINT64_MAX ? "it is longer than the ZIP directory says" : "it cannot be written";
        default:                return "its compressed data are damaged";
    }
}

int zip_extract(
    const struct zip_directory * dir, const struct zip_member * member,
    zip_sink write, void * sink, const char ** error) {
    uint64_t            offset;
    struct extraction * x;
    if (member->flags & 1) {
        *error = "it is encrypted";
        return -1;
    }
    if (member->method != ZIP_STORED && member->method != ZIP_DEFLATED) {
        *error = "its compression method is neither stored nor deflate";
        return -1;
    }
    if (zip_data_offset(dir, member, &offset, error) != 0) {
        return -1;
    }
    if (!(x = malloc(sizeof(*x)))) {
        *error = "out of memory";
        return -1;
    }
    x->dir    = dir;
    x->offset = offset;
    x->left   = member->compressed_size;
    x->room   = member->size;
    x->write  = write;
    x->sink   = sink;
    crc32_init(&x->crc);

    const char * reason = member->method == ZIP_STORED ? copy_stored(x) : copy_deflated(x);
    if (!reason && x->room != 0) {
        reason = "it is shorter than the ZIP directory says";
    }
    if (!reason && crc32_value(&x->crc) != member->crc32) {
        reason = "its CRC-32 differs";
    }
    free(x);
    *error = reason;
    return reason ? -1 : 0;
}

struct memory {
    char * data;
    size_t used; // bytes; never more than the member's size, which zip_extract watches
};

static int write_memory(void * sink, const void * data, size_t size) {
    struct memory * memory = sink;
    memcpy(memory->data + memory->used, data, size);
    memory->used += size;
    return 0;
}

char * zip_extract_alloc(
    const struct zip_directory * dir, const struct zip_member * member,
    size_t limit, size_t * size, const char ** error) {
    struct memory memory = {0};
    if (member->size > limit || member->size >= SIZE_MAX) {
        *error = "it is too large";
        return NULL;
    }
    if (!(memory.data = malloc((size_t) member->size + 1))) {
        *error = "out of memory";
        return NULL;
    }
    if (zip_extract(dir, member, write_memory, &memory, error) != 0) {
        free(memory.data);
        return NULL;
    }
    memory.data[memory.used] = 0;
    *size                    = memory.used;
    return memory.data;
}
