// Makes native/bundle usable from the tests.
//   driver list FILE...        members of each archive, or why there are none
//   driver serve               the same for archives that come on stdin, each behind its length (u64)
//   driver cat FILE NAME       contents of a member
//   driver inflate PIECE       raw DEFLATE from stdin, in pieces of PIECE bytes
//   driver sha256 | crc32 PIECE
#include "crc32.h"
#include "inflate.h"
#include "sha256.h"
#include "zip_extract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t read_file(void * file, void * buf, size_t size, uint64_t offset) {
    return fseek(file, (long) offset, SEEK_SET) == 0 ? (int64_t) fread(buf, 1, size, file) : -1;
}

static int write_stdout(void * sink, const void * data, size_t size) {
    (void) sink;
    return fwrite(data, 1, size, stdout) == size ? 0 : -1;
}

static int discard(void * sink, const void * data, size_t size) {
    const uint8_t * p = data;
    for (size_t i = 0; i < size; i++) {
        *(uint8_t *) sink ^= p[i]; // touch every byte, for the sanitizer
    }
    return 0;
}

static int open_archive(struct zip_directory * dir, const char * path, const char ** error) {
    FILE * file = fopen(path, "rb");
    fseek(file, 0, SEEK_END);
    if (zip_directory_read(dir, read_file, file, (uint64_t) ftell(file), error) != 0) {
        fclose(file);
        return -1;
    }
    return 0;
}

static void list(const char * path) {
    struct zip_directory dir;
    const char *         error = NULL;
    uint8_t              sum   = 0;
    if (open_archive(&dir, path, &error) != 0) {
        printf("-1\t%s\n", error);
        return;
    }
    printf("%zu\n", dir.count);
    for (size_t i = 0; i < dir.count; i++) {
        const struct zip_member * m      = &dir.members[i];
        uint64_t                  offset = 0;
        const char *              reason = "not tried: too large";
        if (zip_data_offset(&dir, m, &offset, &reason) == 0 && m->size < 1 << 24) {
            zip_extract(&dir, m, discard, &sum, &reason);
        }
        for (const char * p = m->name; *p; p++) {
            printf("%02x", (unsigned char) *p);
        }
        printf("\t%u\t%u\t%llu\t%llu\t%llu\t%s\n", m->method, m->crc32, (unsigned long long) m->compressed_size,
            (unsigned long long) m->size, (unsigned long long) offset, reason ? reason : "");
    }
    fclose(dir.file);
    zip_directory_free(&dir);
}

struct bytes {
    uint8_t * data;
    uint64_t  size;
};

static int64_t read_bytes(void * file, void * buf, size_t size, uint64_t offset) {
    const struct bytes * bytes = file;
    uint64_t             left  = offset < bytes->size ? bytes->size - offset : 0;
    size_t               got   = size < left ? size : (size_t) left;
    if (got > 0) {
        memcpy(buf, bytes->data + offset, got);
    }
    return (int64_t) got;
}

// Per archive the number of members, or -1 and why, and what the directory and the local header say
// about each: name, method, flags, CRC-32, sizes, offset of the data or -1.
static void serve(void) {
    struct bytes file;
    while (fread(&file.size, 1, sizeof(file.size), stdin) == sizeof(file.size)) {
        struct zip_directory dir;
        const char *         error = NULL;
        file.data = malloc(file.size ? file.size : 1);
        if (fread(file.data, 1, file.size, stdin) != file.size) {
            exit(2);
        }
        if (zip_directory_read(&dir, read_bytes, &file, file.size, &error) != 0) {
            printf("-1\t%s\n", error);
        } else {
            printf("%zu\t%llu\t%llu\n", dir.count, (unsigned long long) dir.offset, (unsigned long long) dir.end);
        }
        for (size_t i = 0; i < dir.count; i++) {
            const struct zip_member * m      = &dir.members[i];
            uint64_t                  offset = 0;
            int                       status = zip_data_offset(&dir, m, &offset, &error);
            for (const char * p = m->name; *p; p++) {
                printf("%02x", (unsigned char) *p);
            }
            printf("\t%u\t%u\t%u\t%llu\t%llu\t%lld\n", m->method, m->flags, m->crc32,
                (unsigned long long) m->compressed_size, (unsigned long long) m->size,
                status == 0 ? (long long) offset : -1);
        }
        fflush(stdout);
        zip_directory_free(&dir);
        free(file.data);
    }
}

static int cat(const char * path, const char * name) {
    struct zip_directory dir;
    const char *         error = "no such member";
    if (open_archive(&dir, path, &error) != 0) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    const struct zip_member * member = zip_find(&dir, name);
    int status = member && zip_extract(&dir, member, write_stdout, NULL, &error) == 0 ? 0 : 1;
    if (status) {
        fprintf(stderr, "%s\n", error);
    }
    fclose(dir.file);
    zip_directory_free(&dir);
    return status;
}

static size_t   piece;
static uint8_t * input;

// A new buffer each time, exactly as large as its contents: reading past them is then seen.
static int64_t read_stdin(void * source, const uint8_t ** data) {
    (void) source;
    free(input);
    uint8_t * all  = malloc(piece);
    size_t    size = fread(all, 1, piece, stdin);
    input = malloc(size ? size : 1);
    memcpy(input, all, size);
    free(all);
    *data = input;
    return (int64_t) size;
}

int main(int argc, char ** argv) {
    const char *    verb = argc > 1 ? argv[1] : "";
    const uint8_t * data;
    int64_t         size;
    piece = argc > 2 ? (size_t) atoi(argv[2]) : 0;
    if (strcmp(verb, "list") == 0) {
        for (int i = 2; i < argc; i++) {
            list(argv[i]);
        }
    } else if (strcmp(verb, "serve") == 0) {
        serve();
    } else if (strcmp(verb, "cat") == 0 && argc == 4) {
        return cat(argv[2], argv[3]);
    } else if (strcmp(verb, "inflate") == 0) {
        int status = -inflate_stream(read_stdin, NULL, write_stdout, NULL);
        free(input);
        return status;
    } else if (strcmp(verb, "sha256") == 0) {
        struct sha256 hash;
        uint8_t       digest[32];
        char          hex[65];
        sha256_begin(&hash);
        while ((size = read_stdin(NULL, &data)) > 0) {
            sha256_add(&hash, data, (size_t) size);
        }
        free(input);
        sha256_end(&hash, digest);
        sha256_hex(digest, hex);
        puts(hex);
    } else if (strcmp(verb, "crc32") == 0) {
        struct crc32 crc;
        crc32_init(&crc);
        while ((size = read_stdin(NULL, &data)) > 0) {
            crc32_update(&crc, data, (size_t) size);
        }
        free(input);
        printf("%u\n", crc32_value(&crc));
    } else {
        return 2;
    }
    return 0;
}
