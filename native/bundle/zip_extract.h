// Streams the contents of one ZIP member, stored or deflated, to a callback, and checks its size
// and CRC-32 on the way.
#ifndef LLAMAPACK_ZIP_EXTRACT_H
#define LLAMAPACK_ZIP_EXTRACT_H

#include "zip_directory.h"

#ifdef __cplusplus
extern "C" {
#endif

// Takes the next `size` bytes of the contents. Returns 0 to go on; anything else stops.
typedef int (*zip_sink)(void * sink, const void * data, size_t size);

// Returns 0 when all of the member went to `write` and size and CRC agree. Otherwise -1 with *error
// set ("CRC-32 differs", "write failed", ...); the sink may have had part of the contents by then.
int zip_extract(
    const struct zip_directory * dir, const struct zip_member * member,
    zip_sink write, void * sink, const char ** error);

// Reads a whole member into memory, with a NUL after its last byte; *size gets the length without
// it. Members larger than `limit` are refused. Returns NULL with *error set; free() the result.
char * zip_extract_alloc(
    const struct zip_directory * dir, const struct zip_member * member,
    size_t limit, size_t * size, const char ** error);

#ifdef __cplusplus
}
#endif

#endif
