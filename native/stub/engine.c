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
    size_t length = digits == 64 && strncmp(line + 64, "  ", 2) == 0 ? strcspn(line + 66, "\n") : 0;
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
    return text_format(program, PATH_SIZE, "%s/%s", path, TARGET_PROGRAM);
}

// Looks at the engine's files. If they seem to be what was installed, writes into `state` what another
// change of any of them would change.
static bool look_at_files(
    const struct bundle * bundle, const struct engine * engine, const char * path, char state[65]) {
    const char *   cursor = engine->sums;
    struct sum     sum;
    struct os_info info;
    struct sha256  hash;
    uint8_t        digest[32];
    char           file[PATH_SIZE], line[64];
    if (os_look(path, false, &info) != 0 || !info.directory || !info.mine || !info.safe || !info.program) {
        return false;
    }
    sha256_begin(&hash);
    while (next_file(bundle, engine, &cursor, &sum)) {
        if (!text_format(file, sizeof(file), "%s/%s", path, sum.file) || os_look(file, false, &info) != 0 ||
            !info.file || !info.mine || !info.safe || info.size != sum.member->size ||
            (!info.program && strcmp(sum.file, TARGET_PROGRAM) == 0)) {
            return false;
        }
        text_format(line, sizeof(line), "%llu\n", (unsigned long long) info.changed);
        sha256_add(&hash, line, strlen(line));
    }
    sha256_end(&hash, digest);
    sha256_hex(digest, state);
    return true;
}

static bool has_hash(const char * path, const char * hex) {
    static uint8_t buffer[1 << 16];
    struct sha256  hash;
    uint8_t        digest[32];
    char           found[65];
    os_file        file;
    uint64_t       offset = 0;
    int64_t        n      = 0;
    if (os_open(&file, path) != 0) {
        return false;
    }
    sha256_begin(&hash);
    while ((n = os_read_at(&file, buffer, sizeof(buffer), offset)) > 0) {
        sha256_add(&hash, buffer, (size_t) n);
        offset += (uint64_t) n;
    }
    os_close(file, false);
    sha256_end(&hash, digest);
    sha256_hex(digest, found);
    return n == 0 && strcmp(found, hex) == 0;
}

static bool have_hashes(const struct bundle * bundle, const struct engine * engine, const char * path) {
    const char * cursor = engine->sums;
    struct sum   sum;
    char         file[PATH_SIZE];
    while (next_file(bundle, engine, &cursor, &sum)) {
        if (!text_format(file, sizeof(file), "%s/%s", path, sum.file) || !has_hash(file, sum.hex)) {
            return false;
        }
    }
    return true;
}

// Where the state of the files is kept in which their hashes were right.
static bool checked_path(char path[PATH_SIZE], const struct cache_dir * dir, const struct engine * engine) {
    return engine_path(path, dir, engine, ".checked");
}

static bool is_checked(const struct cache_dir * dir, const struct engine * engine, const char * state) {
    char           path[PATH_SIZE], known[65] = "";
    struct os_info info;
    os_file        file;
    if (!checked_path(path, dir, engine) || os_look(path, false, &info) != 0 || !info.file || !info.mine ||
        !info.safe || os_open(&file, path) != 0) {
        return false;
    }
    int64_t n = os_read_at(&file, known, 64, 0);
    os_close(file, false);
    return n == 64 && strcmp(known, state) == 0;
}

static void set_checked(const struct cache_dir * dir, const struct engine * engine, const char * state) {
    char    path[PATH_SIZE];
    os_file file;
    forget_check(dir, engine);
    // Where this fails the next start compares the hashes again.
    if (checked_path(path, dir, engine) && os_create(&file, path, false) == 0) {
        os_write(file, state, strlen(state));
        os_close(file, false);
    }
}

void forget_check(const struct cache_dir * dir, const struct engine * engine) {
    char path[PATH_SIZE];
    if (checked_path(path, dir, engine)) {
        remove_dir(path);
    }
}

void note_check(const struct bundle * bundle, const struct cache_dir * dir, const struct engine * engine) {
    char path[PATH_SIZE], state[65];
    if (engine_path(path, dir, engine, "") && look_at_files(bundle, engine, path, state)) {
        set_checked(dir, engine, state);
    }
}

bool is_cached(const struct bundle * bundle, const struct cache_dir * dir, const struct engine * engine) {
    char path[PATH_SIZE], state[65];
    if (!engine_path(path, dir, engine, "") || !look_at_files(bundle, engine, path, state)) {
        return false;
    }
    if (!is_checked(dir, engine, state)) {
        if (!have_hashes(bundle, engine, path)) {
            return false;
        }
        set_checked(dir, engine, state);
    }
    return true;
}
