#include "crc32.h"

void crc32_init(struct crc32 * crc) {
    crc->state = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++) {
            value = (value >> 1) ^ (value & 1 ? 0xEDB88320u : 0);
        }
        crc->table[0][i] = value;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int t = 1; t < 4; t++) {
            uint32_t value   = crc->table[t - 1][i];
            crc->table[t][i] = (value >> 8) ^ crc->table[0][value & 255];
        }
    }
}

// Four bytes per step: table[k] is the effect of a byte that k more bytes follow.
void crc32_update(struct crc32 * crc, const void * data, size_t size) {
    const uint8_t * p = data;
    uint32_t        s = crc->state;
    for (; size >= 4; size -= 4, p += 4) {
        s ^= (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
        s = crc->table[3][s & 255] ^ crc->table[2][s >> 8 & 255] ^ crc->table[1][s >> 16 & 255] ^
            crc->table[0][s >> 24];
    }
    for (; size > 0; size--, p++) {
        s = (s >> 8) ^ crc->table[0][(s ^ *p) & 255];
    }
    crc->state = s;
}

uint32_t crc32_value(const struct crc32 * crc) {
    return crc->state ^ 0xFFFFFFFFu;
}
