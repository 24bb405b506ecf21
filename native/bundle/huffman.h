// The Huffman codes of a DEFLATE block, RFC 1951 sections 3.2.2 and 3.2.5.
#ifndef LLAMAPACK_HUFFMAN_H
#define LLAMAPACK_HUFFMAN_H

#include <stdint.h>

enum {
    HUFFMAN_CODE_BITS  = 15, // longest code of a literal, length or distance
    HUFFMAN_TABLE_BITS = 10, // codes up to here decode with one lookup
    HUFFMAN_LITERALS   = 288,
    HUFFMAN_DISTANCES  = 32,
};

// What a decoded symbol means, in one word: bits 0-3 length of its code, 4-7 number of extra bits
// that follow it, 8-9 kind, 16-31 value. 0: no such code.
typedef uint32_t huffman_entry;

enum { HUFFMAN_LITERAL, HUFFMAN_MATCH, HUFFMAN_END, HUFFMAN_INVALID };

struct huffman {
    huffman_entry table[1 << HUFFMAN_TABLE_BITS]; // by the next bits of input; 0 for longer codes
    uint16_t      count[HUFFMAN_CODE_BITS + 1];   // number of codes of each length
    uint16_t      symbols[HUFFMAN_LITERALS];      // in the order of their codes
    huffman_entry meanings[HUFFMAN_LITERALS];     // per symbol, without the code's length
};

// What a literal or length symbol, and what a distance symbol means.
huffman_entry huffman_literal(unsigned symbol);
huffman_entry huffman_distance(unsigned symbol);

// Builds the canonical code with these lengths. `meaning` may be NULL: a symbol then means itself.
// Returns -1 for more codes than fit, and for codes that leave bit patterns unused; except for one
// code of one bit, or none at all, which encoders write where only one distance or none occurs.
int huffman_build(
    struct huffman * code, const uint8_t * lengths, unsigned size, huffman_entry (*meaning)(unsigned));

#endif
