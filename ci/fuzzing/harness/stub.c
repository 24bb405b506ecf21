// native/stub: a bundle from its first byte to the files of each engine in it. The system's functions are
// stand-ins, which say of every file that it is there.
#include "stub.h"

#include "input.h"
#include "text.h"

#include <setjmp.h>

static struct input input;
static jmp_buf      dead;

_Noreturn void die(const char * tip, const char * format, ...) {
    check(tip && format);
    longjmp(dead, 1);
}

int os_open(os_file * file, const char * path) {
    (void) path;
    *file = 0;
    return 0;
}

int os_size(os_file file, uint64_t * size) {
    (void) file;
    *size = input.size;
    return 0;
}

int64_t os_read_at(void * file, void * buf, size_t size, uint64_t offset) {
    (void) file;
    return input_read(&input, buf, size, offset);
}

int os_look(const char * path, bool follow_link, struct os_info * info) {
    (void) follow_link;
    *info = (struct os_info){.file = true, .mine = true, .safe = true, .program = true, .size = strlen(path)};
    info->directory = true;
    return 0;
}

int os_absolute(const char * path, char absolute[PATH_SIZE]) {
    return !text_format(absolute, PATH_SIZE, "/%s", path);
}

const char * os_self_path(size_t index, const char * argv0, char buffer[PATH_SIZE]) {
    (void) buffer;
    return index == 0 ? argv0 : NULL;
}

// What installing would ask for.
int          os_make_temporary_dir(char * path) { return !*path; }
int64_t      os_now(void) { return 0; }
int          os_rename_dir(const char * from, const char * to) { return !*from || !*to; }
int          os_sync_dir(const char * path) { return !*path; }
enum verdict os_probe(const char * program, const char ** reason, bool * lasting) {
    return program && reason && lasting ? WORKS : FAILS;
}

int          os_close(os_file file, bool keep) { return (int) file & keep; }
int          os_create(os_file * file, const char * path, bool program) { return !path || !program || !file; }
const char * os_getenv(const char * name) { return *name ? NULL : name; }
const char * os_reason(int error) { return error ? "wrong" : "right"; }
void         remove_dir(const char * path) { check(*path != 0); }

static size_t written;

int os_write(os_file file, const void * data, size_t size) {
    (void) file;
    return sink_write(&written, data, size);
}

static const char * const HOSTS[][2] = {{"linux", "x86_64"}, {"windows", "aarch64"}, {"macos", "aarch64"}};

static void look_at(const struct bundle * bundle, const struct candidate * candidate, struct engine * engine) {
    static const struct cache_dir dir = {.path = "/cache"};
    struct sum                    sum;
    if (find_engine(bundle, candidate, engine)) {
        const char * cursor = engine->sums;
        check(strlen(engine->id) == 32);
        while (next_file(bundle, engine, &cursor, &sum)) {
            check(strlen(sum.hex) == 64 && *sum.file && !strchr(sum.file, '/') && sum.member);
            extract_file(bundle, engine, &sum, 0);
        }
        is_cached(bundle, &dir, engine);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t * data, size_t size) {
    static struct bundle bundle;
    struct candidate     candidates[CANDIDATES_MAX];
    input = (struct input){data, size};
    memset(&bundle, 0, sizeof(bundle));
    if (setjmp(dead)) {
        return 0;
    }
    find_bundle(&bundle, "x");
    for (size_t host = 0; host < sizeof(HOSTS) / sizeof(*HOSTS); host++) {
        size_t count = list_candidates(HOSTS[host][0], HOSTS[host][1], candidates);
        for (size_t i = 0; i < count; i++) {
            static struct engine engine;
            written = 0;
            engine  = (struct engine){0};
            if (!setjmp(dead)) {
                look_at(&bundle, &candidates[i], &engine);
            }
            free(engine.sums);
        }
    }
    zip_directory_free(&bundle.dir);
    return 0;
}
