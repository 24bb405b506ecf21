#include "zip_directory.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOCAL_SIZE        = 30,
    CENTRAL_SIZE      = 46,
    END_SIZE          = 22,
    END64_SIZE        = 56,
    END64_LOCATOR     = 20,
    TAIL_SIZE         = 65536 + END_SIZE + END64_LOCATOR + END64_SIZE,
    DIRECTORY_MAX     = 64 << 20, // bytes; a bundle's is a few KiB, a hostile one stops here
    SENTINEL16        = 0xFFFF,
};

static const uint32_t SENTINEL32 = 0xFFFFFFFFu;

static uint16_t get16(const uint8_t * p) {
    return (uint16_t) (p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t * p) {
    return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

static uint64_t get64(const uint8_t * p) {
    return get32(p) | (uint64_t) get32(p + 4) << 32;
}

static int fail(const char ** error, const char * reason) {
    *error = reason;
    return -1;
}

// The last bytes of the file, kept so that a small archive costs one read.
struct tail {
    uint8_t * data;
    uint64_t  offset; // of data[0] in the file
    size_t    size;
};

// Reads exactly `size` bytes, from the tail where they are there.
static int read_exactly(
    const struct zip_directory * dir, const struct tail * tail, void * buf, size_t size, uint64_t offset) {
    if (tail && offset >= tail->offset && offset - tail->offset <= tail->size &&
        size <= tail->size - (size_t) (offset - tail->offset)) {
        memcpy(buf, tail->data + (offset - tail->offset), size);
        return 0;
    }
    return dir->read(dir->file, buf, size, offset) == (int64_t) size ? 0 : -1;
}

/* ---------------------------------------- end records ---------------------------------------- */

struct end_record {
    uint64_t count;  // members
    uint64_t size;   // of the directory, bytes
    uint64_t offset; // of the directory
    uint64_t limit;  // offset of the first end record: the directory ends there at the latest
};

// Replaces the values of a plain end record at `position` by those of the ZIP64 one.
static int read_end64(
    const struct zip_directory * dir, const struct tail * tail, uint64_t position, struct end_record * end) {
    uint8_t locator[END64_LOCATOR], record[END64_SIZE];
    if (position < END64_LOCATOR ||
        read_exactly(dir, tail, locator, END64_LOCATOR, position - END64_LOCATOR) != 0 ||
        memcmp(locator, "PK\6\7", 4) != 0) {
        return -1;
    }
    uint64_t offset = get64(locator + 8);
    if (offset > position - END64_LOCATOR || position - END64_LOCATOR - offset < END64_SIZE ||
        read_exactly(dir, tail, record, END64_SIZE, offset) != 0 || memcmp(record, "PK\6\6", 4) != 0 ||
        get32(record + 16) != 0 || get32(record + 20) != 0 || get64(record + 24) != get64(record + 32)) {
        return -1;
    }
    end->count  = get64(record + 32);
    end->size   = get64(record + 40);
    end->offset = get64(record + 48);
    end->limit  = offset;
    return 0;
}

// Reads the end record at `position` (`p` points at its bytes). Returns 0 if it makes sense: a
// comment or a signature may hold the four magic bytes by chance.
static int read_end(
    const struct zip_directory * dir, const struct tail * tail, const uint8_t * p, uint64_t position,
    struct end_record * end) {
    uint8_t magic[4];
    end->count  = get16(p + 10);
    end->size   = get32(p + 12);
    end->offset = get32(p + 16);
    end->limit  = position;
    if (end->count == SENTINEL16 || end->size == SENTINEL32 || end->offset == SENTINEL32) {
        if (read_end64(dir, tail, position, end) != 0) {
            return -1;
        }
    } else if (get16(p + 4) != 0 || get16(p + 6) != 0 || get16(p + 8) != end->count) {
        return -1;
    }
    if (end->offset > end->limit || end->size > end->limit - end->offset || end->size / CENTRAL_SIZE < end->count) {
        return -1;
    }
    if (end->count == 0) {
        return 0;
    }
    return read_exactly(dir, tail, magic, 4, end->offset) == 0 && memcmp(magic, "PK\1\2", 4) == 0 ? 0 : -1;
}

// Searches backwards for the end record; sets dir->end.
static int find_end(struct zip_directory * dir, const struct tail * tail, struct end_record * end) {
    for (size_t i = tail->size < END_SIZE ? 0 : tail->size - END_SIZE + 1; i-- > 0;) {
        const uint8_t * p       = tail->data + i;
        size_t          comment = 0;
        if (memcmp(p, "PK\5\6", 4) != 0) {
            continue;
        }
        comment = get16(p + 20);
        if (comment > tail->size - i - END_SIZE || read_end(dir, tail, p, tail->offset + i, end) != 0) {
            continue;
        }
        dir->end = tail->offset + i + END_SIZE + comment;
        return 0;
    }
    return -1;
}

/* ------------------------------------------ members ------------------------------------------ */

// Takes those values from the ZIP64 extra field that did not fit, in their fixed order.
static int read_extra64(struct zip_member * member, const uint8_t * extra, size_t size) {
    uint64_t * wanted[3];
    size_t     count = 0, taken = 0;
    if (member->size == SENTINEL32) {
        wanted[count++] = &member->size;
    }
    if (member->compressed_size == SENTINEL32) {
        wanted[count++] = &member->compressed_size;
    }
    if (member->header_offset == SENTINEL32) {
        wanted[count++] = &member->header_offset;
    }
    while (count > 0 && size >= 4) {
        size_t length = get16(extra + 2);
        if (length > size - 4) {
            return -1;
        }
        if (get16(extra) == 1) {
            for (; taken < count && length >= 8 * (taken + 1); taken++) {
                *wanted[taken] = get64(extra + 4 + 8 * taken);
            }
            return taken == count ? 0 : -1;
        }
        extra += 4 + length;
        size -= 4 + length;
    }
    return count == 0 ? 0 : -1;
}

// Reads the record at `p`, of which at most `left` bytes exist. Returns its length, or 0 with *error
// set. The name is moved one byte towards the front, over bytes already read, to make room for a NUL.
static size_t read_member(
    struct zip_member * member, uint8_t * p, size_t left, uint64_t limit, const char ** error) {
    if (left < CENTRAL_SIZE || memcmp(p, "PK\1\2", 4) != 0) {
        *error = "its ZIP directory is damaged";
        return 0;
    }
    size_t name = get16(p + 28), extra = get16(p + 30), comment = get16(p + 32);
    size_t length = CENTRAL_SIZE + name + extra + comment;
    if (length > left || memchr(p + CENTRAL_SIZE, 0, name)) {
        *error = "its ZIP directory is damaged";
        return 0;
    }
    member->flags           = get16(p + 8);
    member->method          = get16(p + 10);
    member->crc32           = get32(p + 16);
    member->compressed_size = get32(p + 20);
    member->size            = get32(p + 24);
    member->header_offset   = get32(p + 42);
    if (read_extra64(member, p + CENTRAL_SIZE + name, extra) != 0) {
        *error = "its ZIP directory has a damaged ZIP64 field";
        return 0;
    }
    if (limit < LOCAL_SIZE || member->header_offset > limit - LOCAL_SIZE ||
        member->compressed_size > limit - LOCAL_SIZE - member->header_offset) {
        *error = "its ZIP directory points outside of the file";
        return 0;
    }
    char * text = (char *) p + CENTRAL_SIZE - 1;
    memmove(text, text + 1, name);
    text[name]   = 0;
    member->name = text;
    return length;
}

static int read_members(
    struct zip_directory * dir, const struct tail * tail, const struct end_record * end, const char ** error) {
    if (end->size > DIRECTORY_MAX) {
        return fail(error, "its ZIP directory is larger than 64 MiB");
    }
    size_t size  = (size_t) end->size;
    size_t count = (size_t) end->count;
    dir->offset  = end->offset;
    dir->names   = malloc(size + 1);
    dir->members = calloc(count + 1, sizeof(struct zip_member));
    if (!dir->names || !dir->members) {
        return fail(error, "out of memory");
    }
    if (read_exactly(dir, tail, dir->names, size, end->offset) != 0) {
        return fail(error, "its ZIP directory cannot be read");
    }
    uint8_t * p = (uint8_t *) dir->names;
    for (; dir->count < count; dir->count++) {
        size_t length = read_member(&dir->members[dir->count], p, size, end->offset, error);
        if (!length) {
            return -1;
        }
        p += length;
        size -= length;
    }
    return size == 0 ? 0 : fail(error, "its ZIP directory is longer than its members");
}

/* ---------------------------------------- public parts --------------------------------------- */

int zip_directory_read(
    struct zip_directory * dir, zip_read_at read, void * file, uint64_t file_size, const char ** error) {
    struct end_record end;
    struct tail       tail;
    int               status = -1;
    memset(dir, 0, sizeof(*dir));
    dir->read   = read;
    dir->file   = file;
    tail.size   = file_size < TAIL_SIZE ? (size_t) file_size : TAIL_SIZE;
    tail.offset = file_size - tail.size;
    tail.data   = malloc(tail.size + 1);
    if (!tail.data) {
        return fail(error, "out of memory");
    }
    if (read(file, tail.data, tail.size, tail.offset) != (int64_t) tail.size) {
        fail(error, "it cannot be read");
    } else if (find_end(dir, &tail, &end) != 0) {
        fail(error, "it has no ZIP end record");
    } else {
        status = read_members(dir, &tail, &end, error);
    }
    free(tail.data);
    if (status != 0) {
        zip_directory_free(dir);
    }
    return status;
}

const struct zip_member * zip_find(const struct zip_directory * dir, const char * name) {
    for (size_t i = dir->count; i-- > 0;) {
        if (strcmp(dir->members[i].name, name) == 0) {
            return &dir->members[i];
        }
    }
    return NULL;
}

int zip_data_offset(
    const struct zip_directory * dir, const struct zip_member * member, uint64_t * offset, const char ** error) {
    uint8_t header[LOCAL_SIZE];
    if (read_exactly(dir, NULL, header, LOCAL_SIZE, member->header_offset) != 0) {
        return fail(error, "its local header cannot be read");
    }
    if (memcmp(header, "PK\3\4", 4) != 0) {
        return fail(error, "its local header is damaged");
    }
    *offset = member->header_offset + LOCAL_SIZE + get16(header + 26) + get16(header + 28);
    if (*offset > dir->offset || member->compressed_size > dir->offset - *offset) {
        return fail(error, "its data reach into the ZIP directory");
    }
    return 0;
}

void zip_directory_free(struct zip_directory * dir) {
    free(dir->members);
    free(dir->names);
    memset(dir, 0, sizeof(*dir));
}
