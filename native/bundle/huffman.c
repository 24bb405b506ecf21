#include "huffman.h"

#include <string.h>

huffman_entry huffman_literal(unsigned symbol) {
    static const uint16_t base[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                      31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    if (symbol < 256) {
        return (huffman_entry) symbol << 16 | HUFFMAN_LITERAL << 8;
    }
    if (symbol == 256) {
        return HUFFMAN_END << 8;
    }
    if (symbol > 285) {
        return HUFFMAN_INVALID << 8;
    }
    unsigned index = symbol - 257;
    unsigned extra = index < 8 || index == 28 ? 0 : (index - 4) / 4;
    return (huffman_entry) base[index] << 16 | HUFFMAN_MATCH << 8 | extra << 4;
}

huffman_entry huffman_distance(unsigned symbol) {
    if (symbol > 29) {
        return HUFFMAN_INVALID << 8;
    }
    unsigned extra = symbol < 4 ? 0 : symbol / 2 - 1;
    unsigned base  = symbol < 4 ? symbol + 1 : ((2 + symbol % 2) << extra) + 1;
    return (huffman_entry) base << 16 | HUFFMAN_MATCH << 8 | extra << 4;
}

static unsigned reverse(unsigned code, unsigned length) {
    unsigned result = 0;
    while (length--) {
        result = result << 1 | (code & 1);
        code >>= 1;
    }
    return result;
}

int huffman_build(
    struct huffman * code, const uint8_t * lengths, unsigned size, huffman_entry (*meaning)(unsigned)) {
    unsigned first[HUFFMAN_CODE_BITS + 2] = {0}, index[HUFFMAN_CODE_BITS + 2] = {0};
    int      left = 1;
    memset(code->table, 0, sizeof(code->table));
    memset(code->count, 0, sizeof(code->count));
    for (unsigned i = 0; i < size; i++) {
        code->count[lengths[i]]++;
    }
    unsigned used  = size - code->count[0];
    code->count[0] = 0;
    for (unsigned n = 1; n <= HUFFMAN_CODE_BITS; n++) {
        left = 2 * left - code->count[n];
        if (left < 0) {
            return -1;
        }
        first[n + 1] = (first[n] + code->count[n]) << 1;
        index[n + 1] = index[n] + code->count[n];
    }
    if (left > 0 && !(used == 0 || (used == 1 && code->count[1] == 1 && meaning))) {
        return -1;
    }
    for (unsigned i = 0; i < size; i++) {
        unsigned length = lengths[i];
        if (length == 0) {
            continue;
        }
        code->symbols[index[length]++] = (uint16_t) i;
        code->meanings[i]              = meaning ? meaning(i) : (huffman_entry) i << 16;
        unsigned bits                  = reverse(first[length]++, length);
        for (; length <= HUFFMAN_TABLE_BITS && bits < 1 << HUFFMAN_TABLE_BITS; bits += 1u << length) {
            code->table[bits] = code->meanings[i] | length;
        }
    }
    return 0;
}
