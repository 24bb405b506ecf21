#include "zip_directory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOCAL_SIZE    = 30,
    CENTRAL_SIZE  = 46,
    END_SIZE      = 22,
    END64_SIZE    = 56,
    LOCATOR_SIZE  = 20,
    WIDE_SIZE     = END64_SIZE + LOCATOR_SIZE, // what lies before an end record of ZIP64
    SEARCHED      = 65535 + END_SIZE,          // last bytes of the file in which an end record begins
    DIRECTORY_MAX = 64 << 20,                  // bytes; a bundle's is a few KiB, a hostile one stops here
    MEMBERS_MAX   = 1 << 18,
    SENTINEL16    = 0xFFFF,
    ENCRYPTED     = 1 << 0, // flags
    STREAMED      = 1 << 3, // sizes and CRC-32 follow the data
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

// Reads exactly `size` bytes.
static int read_exactly(const struct zip_directory * dir, void * buf, size_t size, uint64_t offset) {
    return dir->read(dir->file, buf, size, offset) == (int64_t) size ? 0 : -1;
}

/* ---------------------------------------- end records ---------------------------------------- */

struct end_record {
    const uint8_t * p;        // its bytes
    uint64_t        position; // where they are in the file
    uint64_t        end;      // offset just past its comment
    uint64_t        count;    // members
    uint64_t        size;     // of the directory, bytes
    uint64_t        offset;   // of the directory
    bool            wide;     // a ZIP64 locator lies before it
};

// Whether a directory begins where the record says. The magic alone may occur by chance, in a
// signature or in a member that is a ZIP itself.
static bool names_directory(const struct zip_directory * dir, const struct end_record * end) {
    uint8_t magic[4];
    if (end->size == 0) {
        return end->offset == end->position;
    }
    return end->offset < end->position && read_exactly(dir, magic, 4, end->offset) == 0 &&
           memcmp(magic, "PK\1\2", 4) == 0;
}

// Whether there is an end record at `i` of the tail, right or wrong.
static bool find_end_at(const struct zip_directory * dir, const struct tail * tail, size_t i, struct end_record * end) {
    const uint8_t * p = tail->data + i;
    if (memcmp(p, "PK\5\6", 4) != 0 || get16(p + 20) > tail->size - i - END_SIZE) {
        return false;
    }
    end->p        = p;
    end->position = tail->offset + i;
    end->end      = end->position + END_SIZE + get16(p + 20);
    end->count    = get16(p + 10);
    end->size     = get32(p + 12);
    end->offset   = get32(p + 16);
    end->wide     = i >= WIDE_SIZE && memcmp(p - LOCATOR_SIZE, "PK\6\7", 4) == 0;
    return (end->wide && get64(p - LOCATOR_SIZE + 8) == end->position - WIDE_SIZE) || names_directory(dir, end);
}

// Replaces the values of an end record by those of the ZIP64 record before it.
static int read_end64(struct end_record * end) {
    const uint8_t * record  = end->p - WIDE_SIZE;
    const uint8_t * locator = end->p - LOCATOR_SIZE;
    uint64_t        count = get64(record + 32), size = get64(record + 40), offset = get64(record + 48);
    if (get32(locator + 4) != 0 || get64(locator + 8) != end->position - WIDE_SIZE || get32(locator + 16) > 1 ||
        memcmp(record, "PK\6\6", 4) != 0 || get64(record + 4) != END64_SIZE - 12 || get32(record + 16) != 0 ||
        get32(record + 20) != 0 || get64(record + 24) != count) {
        return -1;
    }
    if ((end->count != SENTINEL16 && end->count != count) || (end->size != SENTINEL32 && end->size != size) ||
        (end->offset != SENTINEL32 && end->offset != offset)) {
        return -1;
    }
    end->count  = count;
    end->size   = size;
    end->offset = offset;
    return 0;
}

static int check_end(struct end_record * end, const char ** error) {
    uint64_t limit = end->position;
    if (get16(end->p + 4) != 0 || get16(end->p + 6) != 0 || get16(end->p + 8) != end->count) {
        return fail(error, "its ZIP end record is that of an archive on several disks");
    }
    if (end->wide) {
        if (read_end64(end) != 0) {
            return fail(error, "its ZIP64 end record is damaged");
        }
        limit -= WIDE_SIZE;
    } else if (end->size == SENTINEL32 || end->offset == SENTINEL32) {
        return fail(error, "its ZIP64 end record is missing");
    }
    if (end->size > limit || end->offset != limit - end->size) {
        return fail(error, "its ZIP directory does not end where its end record begins");
    }
    if (end->size > DIRECTORY_MAX) {
        return fail(error, "its ZIP directory is larger than 64 MiB");
    }
    if (end->count > MEMBERS_MAX) {
        return fail(error, "it has more than 262,144 members");
    }
    return end->count <= end->size / CENTRAL_SIZE ? 0 : fail(error, "its ZIP directory is damaged");
}

// Searches backwards for the end record. Programs that append to an archive leave its old directory
// and end record where they are, as dead bytes before the new directory; any other second one
// means that the file can be read in two ways.
static int find_end(
    const struct zip_directory * dir, const struct tail * tail, struct end_record * end, const char ** error) {
    struct end_record other;
    size_t            first = tail->size < SEARCHED ? 0 : tail->size - SEARCHED;
    bool              found = false;
    for (size_t i = tail->size < END_SIZE ? 0 : tail->size - END_SIZE + 1; i-- > first;) {
        if (!found) {
            found = find_end_at(dir, tail, i, end);
            if (found && check_end(end, error) != 0) {
                return -1;
            }
        } else if (find_end_at(dir, tail, i, &other) && other.end > end->offset) {
            return fail(error, "it has two ZIP end records");
        }
    }
    return found ? 0 : fail(error, "it has no ZIP end record");
}

/* ------------------------------------------ members ------------------------------------------ */

// Strict: no surrogates, nothing longer than it must be, no NUL.
static bool is_utf8(const uint8_t * p, size_t size) {
    static const uint32_t least[] = {1, 0x80, 0x800, 0x10000};
    for (size_t i = 0; i < size;) {
        uint8_t  lead  = p[i++];
        size_t   more  = lead < 0x80 ? 0 : lead >= 0xC2 && lead < 0xE0 ? 1 : lead >= 0xE0 && lead < 0xF0 ? 2 : 3;
        uint32_t point = more == 0 ? lead : lead & (0x3Fu >> more);
        if ((more == 3 && (lead < 0xF0 || lead > 0xF4)) || more > size - i) {
            return false;
        }
        for (size_t end = i + more; i < end; i++) {
            if ((p[i] & 0xC0) != 0x80) {
                return false;
            }
            point = point << 6 | (p[i] & 0x3Fu);
        }
        if (point < least[more] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) {
            return false;
        }
    }
    return true;
}

// Finds the ZIP64 field among the extra ones. NULL: there is none, or a field before it is damaged.
static const uint8_t * find_extra64(const uint8_t * extra, size_t size, size_t * length) {
    while (size >= 4) {
        *length = get16(extra + 2);
        if (*length > size - 4) {
            return NULL;
        }
        if (get16(extra) == 1) {
            return extra + 4;
        }
        extra += 4 + *length;
        size -= 4 + *length;
    }
    return NULL;
}

// Takes those values from the ZIP64 extra field that did not fit, in their fixed order.
static int read_extra64(struct zip_member * member, const uint8_t * extra, size_t size) {
    uint64_t * values[] = {&member->size, &member->compressed_size, &member->header_offset};
    size_t     length   = 0, taken = 0;
    if (member->size != SENTINEL32 && member->compressed_size != SENTINEL32 && member->header_offset != SENTINEL32) {
        return 0;
    }
    const uint8_t * field = find_extra64(extra, size, &length);
    for (size_t i = 0; field && i < 3; i++) {
        if (*values[i] == SENTINEL32) {
            if (length < 8 * (taken + 1)) {
                return -1;
            }
            *values[i] = get64(field + 8 * taken++);
        }
    }
    return field ? 0 : -1;
}

static size_t no_member(const char ** error, const char * reason) {
    *error = reason;
    return 0;
}

// Reads the record at `p`, of which at most `left` bytes exist. Returns its length, or 0 with *error
// set. The name is moved one byte towards the front, over bytes already read, to make room for a NUL.
static size_t read_member(struct zip_member * member, uint8_t * p, size_t left, const char ** error) {
    if (left < CENTRAL_SIZE || memcmp(p, "PK\1\2", 4) != 0) {
        return no_member(error, "its ZIP directory is damaged");
    }
    size_t name = get16(p + 28), extra = get16(p + 30), comment = get16(p + 32);
    size_t length = CENTRAL_SIZE + name + extra + comment;
    if (length > left) {
        return no_member(error, "its ZIP directory is damaged");
    }
    member->flags           = get16(p + 8);
    member->method          = get16(p + 10);
    member->crc32           = get32(p + 16);
    member->compressed_size = get32(p + 20);
    member->size            = get32(p + 24);
    member->header_offset   = get32(p + 42);
    if (get16(p + 34) != 0) {
        return no_member(error, "a member of its ZIP directory lies on another disk");
    }
    if (!is_utf8(p + CENTRAL_SIZE, name)) {
        return no_member(error, "a name in its ZIP directory is not UTF-8, or holds a NUL");
    }
    if (read_extra64(member, p + CENTRAL_SIZE + name, extra) != 0) {
        return no_member(error, "its ZIP directory has a damaged ZIP64 field");
    }
    if (member->method == ZIP_STORED && !(member->flags & ENCRYPTED) && member->size != member->compressed_size) {
        return no_member(error, "its ZIP directory states two sizes for a stored member");
    }
    char * text = (char *) p + CENTRAL_SIZE - 1;
    memmove(text, text + 1, name);
    text[name]   = 0;
    member->name = text;
    return length;
}

static int by_offset(const struct zip_member * a, const struct zip_member * b) {
    return a->header_offset < b->header_offset ? -1 : a->header_offset > b->header_offset;
}

static int by_name(const struct zip_member * a, const struct zip_member * b) {
    return strcmp(a->name, b->name);
}

// A stable merge sort: qsort is quadratic in some C libraries. `space` is as long as `list`; returns
// the one of the two that has the result.
static struct zip_member ** sort(
    struct zip_member ** list, struct zip_member ** space, size_t count,
    int (*compare)(const struct zip_member *, const struct zip_member *)) {
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t begin = 0; begin < count; begin += 2 * width) {
            size_t left = begin, middle = begin + width < count ? begin + width : count;
            size_t right = middle, end = middle + width < count ? middle + width : count;
            for (size_t i = begin; i < end; i++) {
                bool first = left < middle && (right == end || compare(list[left], list[right]) <= 0);
                space[i]   = list[first ? left++ : right++];
            }
        }
        struct zip_member ** sorted = space;
        space = list;
        list  = sorted;
    }
    return list;
}

// Sets how far each member may reach: to the next one, and the last one to the directory.
static int set_limits(const struct zip_directory * dir, struct zip_member ** sorted, const char ** error) {
    uint64_t limit = dir->offset;
    for (size_t i = dir->count; i-- > 0;) {
        struct zip_member * member = sorted[i];
        uint64_t            least  = LOCAL_SIZE + strlen(member->name);
        if (member->header_offset > limit || limit - member->header_offset < least ||
            limit - member->header_offset - least < member->compressed_size) {
            return fail(error, "members in its ZIP directory overlap, or lie outside of the archive");
        }
        member->limit = limit;
        limit         = member->header_offset;
    }
    return 0;
}

// Of members of one name the last one counts.
static void drop_replaced(struct zip_directory * dir, struct zip_member ** sorted) {
    size_t kept = 0;
    for (size_t i = 1; i < dir->count; i++) {
        if (by_name(sorted[i - 1], sorted[i]) == 0) {
            sorted[i - 1]->limit = 0; // those that count have room for a header at least
        }
    }
    for (size_t i = 0; i < dir->count; i++) {
        if (dir->members[i].limit) {
            dir->members[kept++] = dir->members[i];
        }
    }
    dir->count = kept;
}

static int arrange_members(struct zip_directory * dir, const char ** error) {
    struct zip_member ** list   = malloc((2 * dir->count + 1) * sizeof(*list));
    int                  status = -1;
    if (!list) {
        return fail(error, "out of memory");
    }
    for (size_t i = 0; i < dir->count; i++) {
        list[i] = &dir->members[i];
    }
    status = set_limits(dir, sort(list, list + dir->count, dir->count, by_offset), error);
    if (status == 0) {
        for (size_t i = 0; i < dir->count; i++) {
            list[i] = &dir->members[i];
        }
        drop_replaced(dir, sort(list, list + dir->count, dir->count, by_name));
    }
    free(list);
    return status;
}

static int read_members(struct zip_directory * dir, const struct end_record * end, const char ** error) {
    size_t size  = (size_t) end->size;
    size_t count = (size_t) end->count;
    dir->offset  = end->offset;
    dir->end     = end->end;
    dir->names   = malloc(size + 1);
    dir->members = calloc(count + 1, sizeof(struct zip_member));
    if (!dir->names || !dir->members) {
        return fail(error, "out of memory");
    }
    if (read_exactly(dir, dir->names, size, end->offset) != 0) {
        return fail(error, "its ZIP directory cannot be read");
    }
    uint8_t * p = (uint8_t *) dir->names;
    for (; dir->count < count; dir->count++) {
        size_t length = read_member(&dir->members[dir->count], p, size, error);
        if (!length) {
            return -1;
        }
        p += length;
        size -= length;
    }
    return size == 0 ? arrange_members(dir, error) : fail(error, "its ZIP directory is longer than its members");
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
    tail.size   = file_size < SEARCHED + WIDE_SIZE ? (size_t) file_size : SEARCHED + WIDE_SIZE;
    tail.offset = file_size - tail.size;
    tail.data   = malloc(tail.size + 1);
    if (!tail.data) {
        return fail(error, "out of memory");
    }
    if (read(file, tail.data, tail.size, tail.offset) != (int64_t) tail.size) {
        fail(error, "it cannot be read");
    } else if (find_end(dir, &tail, &end, error) == 0) {
        status = read_members(dir, &end, error);
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

// Whether a local header states the name, CRC-32 and sizes that the directory does. `rest` is what
// follows its fixed part: name and extra fields.
static bool agrees(const struct zip_member * member, const uint8_t * header, const uint8_t * rest) {
    uint64_t crc = get32(header + 14), packed = get32(header + 18), size = get32(header + 22);
    size_t   name = get16(header + 26), extra = get16(header + 28), length = 0;
    if (name != strlen(member->name) || memcmp(rest, member->name, name) != 0 ||
        get16(header + 8) != member->method || ((get16(header + 6) ^ member->flags) & ENCRYPTED) != 0) {
        return false;
    }
    if (packed == SENTINEL32 || size == SENTINEL32) {
        const uint8_t * field = find_extra64(rest + name, extra, &length);
        if (!field || length < 16) {
            return false;
        }
        size   = size == SENTINEL32 ? get64(field) : size;
        packed = packed == SENTINEL32 ? get64(field + 8) : packed;
    }
    bool may_be_zero = get16(header + 6) & STREAMED;
    return (crc == member->crc32 || (may_be_zero && crc == 0)) &&
           (size == member->size || (may_be_zero && size == 0)) &&
           (packed == member->compressed_size || (may_be_zero && packed == 0));
}

int zip_data_offset(
    const struct zip_directory * dir, const struct zip_member * member, uint64_t * offset, const char ** error) {
    uint8_t header[LOCAL_SIZE];
    if (read_exactly(dir, header, LOCAL_SIZE, member->header_offset) != 0) {
        return fail(error, "its local header cannot be read");
    }
    if (memcmp(header, "PK\3\4", 4) != 0) {
        return fail(error, "its local header is damaged");
    }
    size_t rest = (size_t) get16(header + 26) + get16(header + 28);
    *offset     = member->header_offset + LOCAL_SIZE + rest;
    if (*offset > member->limit || member->compressed_size > member->limit - *offset) {
        return fail(error, "its data reach into what follows them in the ZIP");
    }
    uint8_t * buffer = malloc(rest + 1);
    if (!buffer) {
        return fail(error, "out of memory");
    }
    bool read  = read_exactly(dir, buffer, rest, member->header_offset + LOCAL_SIZE) == 0;
    bool right = read && agrees(member, header, buffer);
    free(buffer);
    if (!right) {
        return fail(error, read ? "its local header and the ZIP directory disagree" : "its local header cannot be read");
    }
    return 0;
}

void zip_directory_free(struct zip_directory * dir) {
    free(dir->members);
    free(dir->names);
    memset(dir, 0, sizeof(*dir));
}
