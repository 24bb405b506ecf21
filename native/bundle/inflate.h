// Streaming decompressor for raw DEFLATE data (RFC 1951).
#ifndef LLAMAPACK_INFLATE_H
#define LLAMAPACK_INFLATE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum inflate_status {
    INFLATE_OK        =  0,
    INFLATE_DATA      = -1, // malformed, or ends too early
    INFLATE_READ      = -2, // the source failed
    INFLATE_WRITE     = -3, // the sink refused
    INFLATE_NO_MEMORY = -4,
};

// Gives the next piece of compressed data: sets *data and returns its length, which may be any; 0
// at the end, negative on failure. The piece must stay valid until the next call.
typedef int64_t (*inflate_source)(void * source, const uint8_t ** data);

// Takes the next `size` bytes of output. Returns 0 to go on; anything else stops.
typedef int (*inflate_sink)(void * sink, const void * data, size_t size);

// Decompresses one DEFLATE stream from `read` into `write`, in pieces of less than 65 KiB each.
// What follows the stream in the last piece of input is ignored.
enum inflate_status inflate_stream(inflate_source read, void * source, inflate_sink write, void * sink);

#ifdef __cplusplus
}
#endif

#endif
