// CRC-32 as ZIP uses it (reflected polynomial 0xEDB88320, ISO 3309).
#ifndef LLAMAPACK_CRC32_H
#define LLAMAPACK_CRC32_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct crc32 {
    uint32_t state;
    uint32_t table[4][256]; // filled by crc32_init, so that there is no shared state to guard
};

void     crc32_init(struct crc32 * crc);
void     crc32_update(struct crc32 * crc, const void * data, size_t size);
uint32_t crc32_value(const struct crc32 * crc);

#ifdef __cplusplus
}
#endif

#endif
