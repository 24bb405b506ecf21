// CRC-32 as ZIP uses it (reflected polynomial 0xEDB88320, ISO 3309).
#ifndef LLAMAPACK_CRC32_H
#define LLAMAPACK_CRC32_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Continues the checksum `crc` of what came before (0 at the start) over `size` more bytes.
uint32_t crc32_update(uint32_t crc, const void * data, size_t size);

#ifdef __cplusplus
}
#endif

#endif
