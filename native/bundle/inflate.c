#include "inflate.h"

#include "huffman.h"

#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_SIZE = 32768,
    CHUNK_SIZE  = 65536, // of output between two calls of the sink
    MATCH_MAX   = 258,
};

struct inflate {
    inflate_source  read;
    void *          source;
    inflate_sink    write;
    void *          sink;
    const uint8_t * next;   // input not yet in `bits`
    const uint8_t * end;
    uint64_t        bits;   // next bits of input, lowest first; those past `count` are 0 or right
    unsigned        count;
    size_t          used;   // bytes in `output`
    size_t          sent;   // of these, how many the sink has had
    uint64_t        total;  // bytes put out in all
    struct huffman  literals;
    struct huffman  distances;
    uint8_t         output[WINDOW_SIZE + CHUNK_SIZE + MATCH_MAX];
};

/* ------------------------------------------- input ------------------------------------------- */

// Adds input to `bits` until it holds at least 56, or the input ends.
static enum inflate_status refill_slowly(struct inflate * s) {
    while (s->count < 56) {
        if (s->next == s->end) {
            int64_t size = s->read(s->source, &s->next);
            if (size <= 0) {
                s->next = s->end = NULL;
                return size < 0 ? INFLATE_READ : INFLATE_OK;
            }
            s->end = s->next + size;
        }
        s->bits |= (uint64_t) *s->next++ << s->count;
        s->count += 8;
    }
    return INFLATE_OK;
}

static inline enum inflate_status refill(struct inflate * s) {
    const uint8_t * p = s->next;
    if (s->end - p < 8) {
        return refill_slowly(s);
    }
    uint64_t word = (uint64_t) p[0] | (uint64_t) p[1] << 8 | (uint64_t) p[2] << 16 | (uint64_t) p[3] << 24 |
                    (uint64_t) p[4] << 32 | (uint64_t) p[5] << 40 | (uint64_t) p[6] << 48 | (uint64_t) p[7] << 56;
    s->bits |= word << s->count;
    s->next += (63 - s->count) >> 3;
    s->count |= 56;
    return INFLATE_OK;
}

// Takes `n` <= 16 bits that the last refill has provided; -1 if the input ended before.
static inline int32_t take(struct inflate * s, unsigned n) {
    uint32_t value = (uint32_t) (s->bits & ((1u << n) - 1));
    if (n > s->count) {
        return -1;
    }
    s->bits >>= n;
    s->count -= n;
    return (int32_t) value;
}

/* ------------------------------------------- output ------------------------------------------ */

// Sends what is new to the sink and keeps the last 32 KiB as the window.
static enum inflate_status flush(struct inflate * s) {
    if (s->used > s->sent && s->write(s->sink, s->output + s->sent, s->used - s->sent) != 0) {
        return INFLATE_WRITE;
    }
    if (s->used > WINDOW_SIZE) {
        memmove(s->output, s->output + s->used - WINDOW_SIZE, WINDOW_SIZE);
        s->used = WINDOW_SIZE;
    }
    s->sent = s->used;
    return INFLATE_OK;
}

static inline enum inflate_status flush_if_full(struct inflate * s) {
    return s->used >= WINDOW_SIZE + CHUNK_SIZE ? flush(s) : INFLATE_OK;
}

// Repeats `length` bytes from `distance` bytes ago; the two may overlap.
static inline void copy_match(struct inflate * s, size_t distance, size_t length) {
    uint8_t *       to   = s->output + s->used;
    const uint8_t * from = to - distance;
    s->used += length;
    if (distance >= length) {
        memcpy(to, from, length);
        return;
    }
    while (length--) {
        *to++ = *from++;
    }
}

/* ------------------------------------------- codes ------------------------------------------- */

// Decodes a code longer than HUFFMAN_TABLE_BITS bit by bit; 0 if there is none.
static huffman_entry decode_slowly(const struct inflate * s, const struct huffman * code) {
    unsigned value = 0, first = 0, index = 0;
    for (unsigned n = 1; n <= HUFFMAN_CODE_BITS; n++) {
        value |= s->bits >> (n - 1) & 1;
        if (value - first < code->count[n]) {
            return code->meanings[code->symbols[index + value - first]] | n;
        }
        index += code->count[n];
        first = (first + code->count[n]) << 1;
        value <<= 1;
    }
    return 0;
}

// Decodes the next symbol and takes its code from the input; 0 if there is none.
static inline huffman_entry decode(struct inflate * s, const struct huffman * code) {
    huffman_entry entry = code->table[s->bits & ((1 << HUFFMAN_TABLE_BITS) - 1)];
    if (!entry) {
        entry = decode_slowly(s, code);
    }
    unsigned length = entry & 15;
    if (length > s->count) {
        return 0;
    }
    s->bits >>= length;
    s->count -= length;
    return entry;
}

/* ------------------------------------------- blocks ------------------------------------------ */

static enum inflate_status inflate_stored(struct inflate * s) {
    enum inflate_status status;
    take(s, s->count & 7);
    if ((status = refill(s)) != INFLATE_OK) {
        return status;
    }
    int32_t size = take(s, 16), complement = take(s, 16);
    if (size < 0 || complement < 0 || size != (complement ^ 0xFFFF)) {
        return INFLATE_DATA;
    }
    while (size > 0) {
        if (s->count < 8 && (status = refill_slowly(s)) != INFLATE_OK) {
            return status;
        }
        if (s->count < 8) {
            return INFLATE_DATA;
        }
        s->output[s->used++] = (uint8_t) take(s, 8);
        s->total++;
        size--;
        if ((status = flush_if_full(s)) != INFLATE_OK) {
            return status;
        }
    }
    return INFLATE_OK;
}

// Section 3.2.6.
static void set_fixed_codes(struct inflate * s) {
    uint8_t lengths[HUFFMAN_LITERALS];
    memset(lengths, 8, 144);
    memset(lengths + 144, 9, 112);
    memset(lengths + 256, 7, 24);
    memset(lengths + 280, 8, 8);
    huffman_build(&s->literals, lengths, HUFFMAN_LITERALS, huffman_literal);
    memset(lengths, 5, HUFFMAN_DISTANCES);
    huffman_build(&s->distances, lengths, HUFFMAN_DISTANCES, huffman_distance);
}

// Reads the two codes of a dynamic block, section 3.2.7.
static enum inflate_status read_dynamic_codes(struct inflate * s) {
    static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    uint8_t              lengths[HUFFMAN_LITERALS + HUFFMAN_DISTANCES] = {0};
    enum inflate_status  status;
    int32_t              literals = take(s, 5), distances = take(s, 5), codes = take(s, 4);
    if (literals < 0 || distances < 0 || codes < 0 || literals > 29 || distances > 29) {
        return INFLATE_DATA;
    }
    literals += 257;
    distances += 1;
    for (int i = 0; i < codes + 4; i++) {
        if (s->count < 3 && (status = refill(s)) != INFLATE_OK) {
            return status;
        }
        int32_t length = take(s, 3);
        if (length < 0) {
            return INFLATE_DATA;
        }
        lengths[order[i]] = (uint8_t) length;
    }
    if (huffman_build(&s->literals, lengths, 19, NULL) != 0) {
        return INFLATE_DATA;
    }
    memset(lengths, 0, sizeof(lengths));
    for (int i = 0; i < literals + distances;) {
        if ((status = refill(s)) != INFLATE_OK) {
            return status;
        }
        huffman_entry entry  = decode(s, &s->literals);
        int           symbol = (int) (entry >> 16), previous = 0;
        int32_t       repeat = 1;
        if (!entry) {
            return INFLATE_DATA;
        }
        if (symbol == 16) {
            repeat   = take(s, 2);
            previous = i > 0 ? lengths[i - 1] : -1;
        } else if (symbol == 17) {
            repeat = take(s, 3);
        } else if (symbol == 18) {
            repeat = take(s, 7);
        } else {
            previous = symbol;
        }
        if (repeat < 0 || previous < 0) {
            return INFLATE_DATA;
        }
        repeat += symbol < 16 ? 0 : symbol < 18 ? 3 : 11;
        if (repeat > literals + distances - i) {
            return INFLATE_DATA;
        }
        memset(lengths + i, previous, (size_t) repeat);
        i += repeat;
    }
    if (lengths[256] == 0 ||
        huffman_build(&s->distances, lengths + literals, (unsigned) distances, huffman_distance) != 0) {
        return INFLATE_DATA;
    }
    if (huffman_build(&s->literals, lengths, (unsigned) literals, huffman_literal) != 0) {
        return INFLATE_DATA;
    }
    return INFLATE_OK;
}

static enum inflate_status inflate_coded(struct inflate * s) {
    enum inflate_status status;
    for (;;) {
        // 56 bits suffice for a length and a distance with their extra bits: 15 + 5 + 15 + 13.
        if ((status = refill(s)) != INFLATE_OK || (status = flush_if_full(s)) != INFLATE_OK) {
            return status;
        }
        huffman_entry entry = decode(s, &s->literals);
        if (entry == 0 || (entry >> 8 & 3) == HUFFMAN_INVALID) {
            return INFLATE_DATA;
        }
        if ((entry >> 8 & 3) == HUFFMAN_LITERAL) {
            s->output[s->used++] = (uint8_t) (entry >> 16);
            s->total++;
            continue;
        }
        if ((entry >> 8 & 3) == HUFFMAN_END) {
            return INFLATE_OK;
        }
        int32_t       extra  = take(s, entry >> 4 & 15);
        size_t        length = (entry >> 16) + (size_t) extra;
        huffman_entry far    = decode(s, &s->distances);
        if (extra < 0 || far == 0 || (far >> 8 & 3) == HUFFMAN_INVALID) {
            return INFLATE_DATA;
        }
        extra           = take(s, far >> 4 & 15);
        size_t distance = (far >> 16) + (size_t) extra;
        if (extra < 0 || distance > s->total || distance > WINDOW_SIZE) {
            return INFLATE_DATA;
        }
        copy_match(s, distance, length);
        s->total += length;
    }
}

static enum inflate_status inflate_blocks(struct inflate * s) {
    enum inflate_status status;
    int32_t             last, type;
    do {
        if ((status = refill(s)) != INFLATE_OK) {
            return status;
        }
        last = take(s, 1);
        type = take(s, 2);
        if (type == 0) {
            status = inflate_stored(s);
        } else if (type == 1) {
            set_fixed_codes(s);
            status = inflate_coded(s);
        } else if (type == 2) {
            status = read_dynamic_codes(s);
            status = status == INFLATE_OK ? inflate_coded(s) : status;
        } else {
            status = INFLATE_DATA;
        }
    } while (status == INFLATE_OK && !last);
    return status;
}

enum inflate_status inflate_stream(inflate_source read, void * source, inflate_sink write, void * sink) {
    struct inflate * s = calloc(1, sizeof(struct inflate));
    if (!s) {
        return INFLATE_NO_MEMORY;
    }
    s->read   = read;
    s->source = source;
    s->write  = write;
    s->sink   = sink;

    enum inflate_status status = inflate_blocks(s);
    if (status == INFLATE_OK) {
        status = flush(s);
    }
    free(s);
    return status;
}
