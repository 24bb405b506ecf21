// Whether an engine starts on this host, as remembered in the cache. A C library that is too old is
// cheaper to learn from one trial than to predict.
#include "stub.h"

#include "text.h"

// A home may be shared by hosts with different C libraries, and a host's may be updated: so the name
// of the marker holds the size and time of the interpreter it was found with.
static bool verdict_path(char path[PATH_SIZE], const struct cache_dir * dir, const struct engine * engine, bool works) {
    char suffix[sizeof(engine->state) + 16];
    text_format(suffix, sizeof(suffix), ".%s-%s", works ? "works" : "fails", engine->state);
    return engine_path(path, dir, engine, suffix);
}

enum verdict recall_verdict(const struct cache_dir * dir, const struct engine * engine) {
    char           path[PATH_SIZE];
    struct os_info info;
    if (!engine->interpreter) {
        return WORKS;
    }
    if (verdict_path(path, dir, engine, true) && os_look(path, false, &info) == 0) {
        return WORKS;
    }
    return verdict_path(path, dir, engine, false) && os_look(path, false, &info) == 0 ? FAILS : UNKNOWN;
}

void record_verdict(const struct cache_dir * dir, const struct engine * engine, enum verdict verdict) {
    char    path[PATH_SIZE];
    os_file file;
    // Where this fails the next start probes again.
    if (engine->interpreter && (verdict == WORKS || verdict == FAILS) &&
        verdict_path(path, dir, engine, verdict == WORKS) && os_create(&file, path, false) == 0) {
        os_close(file, false);
    }
}
