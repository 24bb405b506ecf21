// SHA-256 (FIPS 180-4).
#ifndef LLAMAPACK_SHA256_H
#define LLAMAPACK_SHA256_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sha256 {
    uint32_t state[8];
    uint64_t size;      // bytes taken so far
    uint8_t  block[64]; // size % 64 bytes that wait for the rest of their block
};

void sha256_begin(struct sha256 * hash);
void sha256_add(struct sha256 * hash, const void * data, size_t size);
void sha256_end(struct sha256 * hash, uint8_t digest[32]);

// Writes the digest as 64 lower-case hex digits and a NUL.
void sha256_hex(const uint8_t digest[32], char hex[65]);

#ifdef __cplusplus
}
#endif

#endif
