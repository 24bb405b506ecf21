// One engine of the bundle, and whether the cache has it.
#include "stub.h"

#include "../bundle/sha256.h"
#include "../bundle/zip_extract.h"
#include "text.h"

#include <string.h>

enum { SUMS_MAX = 1 << 20 };

bool find_engine(const struct bundle * bundle, const struct candidate * candidate, struct engine * engine) {
    struct os_info info;
    struct sha256  hash;
    uint8_t        digest[32];
    char           name[NAME_SIZE], hex[65];
    const char *   reason;
    size_t         size;
    memset(engine, 0, sizeof(*engine));
    if (candidate->interpreter && os_look(candidate->interpreter, true, &info) != 0) {
        return false;
    }
    text_format(name, sizeof(name), "engines/%s/SHA256SUMS", candidate->target);
    const struct zip_member * member = zip_find(&bundle->dir, name);
    if (!member) {
        return false;
    }
    if (!(engine->sums = zip_extract_alloc(&bundle->dir, member, SUMS_MAX, &size, &reason))) {
        die("Fetch it again, or repack it.", "`%s` is damaged: its member %s: %s", bundle->path, name, reason);
    }
    engine->target      = candidate->target;
    engine->interpreter = candidate->interpreter;
    if (engine->interpreter) {
        text_format(
            engine->state, sizeof(engine->state), "%llu-%llu", (unsigned long long) info.size,
            (unsigned long long) info.modified);
    }
    sha256_begin(&hash);
    sha256_add(&hash, engine->sums, size);
    sha256_end(&hash, digest);
    sha256_hex(digest, hex);
    memcpy(engine->id, hex, 32);
    return true;
}

// Reads a line `<64 hex digits>  <FILE>`. Returns what follows it, or NULL.
static const char * read_sum(const char * line, struct sum * sum) {
    size_t digits = strspn(line, "0123456789abcdef");
    size_t length = digits == 64 && memcmp(line + 64, "  ", 2) == 0 ? strcspn(line + 66, "\n") : 0;
    if (length == 0 || length >= NAME_SIZE) {
        return NULL;
    }
    memcpy(sum->hex, line, 64);
    memcpy(sum->file, line + 66, length);
    sum->hex[64]      = 0;
    sum->file[length] = 0;
    return line + 66 + length + (line[66 + length] == '\n');
}

// To Windows some more characters than '/' lead out of a directory.
static bool is_plain_name(const char * name) {
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strpbrk(name, "\\:");
}

bool next_file(const struct bundle * bundle, const struct engine * engine, const char ** cursor, struct sum * sum) {
    char name[2 * NAME_SIZE];
    while (**cursor) {
        const char * next = read_sum(*cursor, sum);
        if (!next || !is_plain_name(sum->file)) {
            die("Repack it.", "`%s` is damaged: its member engines/%s/SHA256SUMS has a wrong line", bundle->path,
                engine->target);
        }
        *cursor = next;
        // Files in folders are modules that the engine takes out of the bundle itself when it wants them.
        if (strchr(sum->file, '/')) {
            continue;
        }
        text_format(name, sizeof(name), "engines/%s/%s", engine->target, sum->file);
        if (!(sum->member = zip_find(&bundle->dir, name))) {
            die("Fetch it again, or repack it.", "`%s` is damaged: it has no member %s", bundle->path, name);
        }
        return true;
    }
    return false;
}

bool engine_path(char path[PATH_SIZE], const struct cache_dir * dir, const struct engine * engine, const char * suffix) {
    return text_format(path, PATH_SIZE, "%s/engines/%s-%s%s", dir->path, engine->target, engine->id, suffix);
}

bool program_path(char program[PATH_SIZE], const char * path) {
    return text_format(program, PATH_SIZE, "%s/%s", path, os_engine_name);
}

bool is_cached(const struct bundle * bundle, const struct engine * engine, const char * path) {
    const char *   cursor = engine->sums;
    struct sum     sum;
    struct os_info info;
    char           file[PATH_SIZE];
    while (next_file(bundle, engine, &cursor, &sum)) {
        if (!text_format(file, sizeof(file), "%s/%s", path, sum.file) || os_look(file, false, &info) != 0 ||
            !info.file || !info.mine || info.size != sum.member->size) {
            return false;
        }
    }
    return true;
}
