// One engine of the bundle, and whether the cache has it.
#include "stub.h"

#include "../bundle/sha256.h"
#include "../bundle/zip_extract.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SUMS_MAX = 1 << 20 };

bool find_engine(const struct bundle * bundle, const char * target, const char * interpreter, struct engine * engine) {
    struct stat   info;
    struct sha256 hash;
    uint8_t       digest[32];
    char          name[NAME_MAX], hex[65];
    const char *  reason;
    size_t        size;
    memset(engine, 0, sizeof(*engine));
    if (interpreter && stat(interpreter, &info) != 0) {
        return false;
    }
    snprintf(name, sizeof(name), "engines/%s/SHA256SUMS", target);
    const struct zip_member * member = zip_find(&bundle->dir, name);
    if (!member) {
        return false;
    }
    if (!(engine->sums = zip_extract_alloc(&bundle->dir, member, SUMS_MAX, &size, &reason))) {
        die("Fetch it again, or repack it.", "`%s` is damaged: its member %s: %s", bundle->path, name, reason);
    }
    engine->target      = target;
    engine->interpreter = interpreter;
    if (interpreter) {
        snprintf(engine->state, sizeof(engine->state), "%lld-%lld", (long long) info.st_size, (long long) info.st_mtime);
    }
    sha256_init(&hash);
    sha256_update(&hash, engine->sums, size);
    sha256_final(&hash, digest);
    sha256_hex(digest, hex);
    memcpy(engine->id, hex, 32);
    return true;
}

// Reads a line `<64 hex digits>  <FILE>`. Returns what follows it, or NULL.
static const char * read_sum(const char * line, struct sum * sum) {
    size_t digits = strspn(line, "0123456789abcdef");
    size_t length = digits == 64 && memcmp(line + 64, "  ", 2) == 0 ? strcspn(line + 66, "\n") : 0;
    if (length == 0 || length > NAME_MAX) {
        return NULL;
    }
    memcpy(sum->hex, line, 64);
    memcpy(sum->file, line + 66, length);
    sum->hex[64]      = 0;
    sum->file[length] = 0;
    return line + 66 + length + (line[66 + length] == '\n');
}

bool next_file(const struct bundle * bundle, const struct engine * engine, const char ** cursor, struct sum * sum) {
    char name[PATH_MAX];
    while (**cursor) {
        const char * next = read_sum(*cursor, sum);
        if (!next || strcmp(sum->file, ".") == 0 || strcmp(sum->file, "..") == 0) {
            die("Repack it.", "`%s` is damaged: its member engines/%s/SHA256SUMS has a wrong line", bundle->path,
                engine->target);
        }
        *cursor = next;
        // Files in folders are modules that the engine takes out of the bundle itself when it wants them.
        if (strchr(sum->file, '/')) {
            continue;
        }
        snprintf(name, sizeof(name), "engines/%s/%s", engine->target, sum->file);
        if (!(sum->member = zip_find(&bundle->dir, name))) {
            die("Fetch it again, or repack it.", "`%s` is damaged: it has no member %s", bundle->path, name);
        }
        return true;
    }
    return false;
}

void engine_path(char path[PATH_MAX], const struct cache_dir * dir, const struct engine * engine, const char * suffix) {
    snprintf(path, PATH_MAX, "%s/engines/%s-%s%s", dir->path, engine->target, engine->id, suffix);
}

bool is_cached(const struct bundle * bundle, const struct engine * engine, const char * path) {
    const char * cursor = engine->sums;
    struct sum   sum;
    struct stat  info;
    char         file[PATH_MAX];
    while (next_file(bundle, engine, &cursor, &sum)) {
        if (snprintf(file, sizeof(file), "%s/%s", path, sum.file) >= PATH_MAX || lstat(file, &info) != 0 ||
            !S_ISREG(info.st_mode) || info.st_uid != geteuid() || (uint64_t) info.st_size != sum.member->size) {
            return false;
        }
    }
    return true;
}
