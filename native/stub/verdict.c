// Whether an engine starts on this host, as remembered in the cache. A C library that is too old is
// cheaper to learn from one trial than to predict.
#include "stub.h"

#include "text.h"

// The C library may have been updated in a way that its interpreter does not show, or a probe may have
// failed for a reason that has gone.
enum { FAILS_SECONDS = 24 * 3600 };

// A home may be shared by hosts with different C libraries, and a host's may be updated: so the name
// of the marker holds the size and time of the interpreter it was found with.
bool verdict_path(
    char path[PATH_SIZE], const struct cache_dir * dir, const struct engine * engine, enum verdict verdict) {
    char suffix[sizeof(engine->state) + 16];
    text_format(suffix, sizeof(suffix), ".%s-%s", verdict == WORKS ? "works" : "fails", engine->state);
    return engine_path(path, dir, engine, suffix);
}

enum verdict recall_verdict(const struct cache_dir * dir, const struct engine * engine) {
    char           path[PATH_SIZE];
    struct os_info info;
    if (!engine->interpreter) {
        return WORKS;
    }
    if (verdict_path(path, dir, engine, WORKS) && os_look(path, false, &info) == 0) {
        return WORKS;
    }
    if (!verdict_path(path, dir, engine, FAILS) || os_look(path, false, &info) != 0) {
        return UNKNOWN;
    }
    int64_t age = os_now() - info.modified;
    return age < FAILS_SECONDS && age > -FAILS_SECONDS ? FAILS : UNKNOWN;
}

void record_verdict(const struct cache_dir * dir, const struct engine * engine, enum verdict verdict) {
    char    path[PATH_SIZE];
    os_file file;
    if (!engine->interpreter || (verdict != WORKS && verdict != FAILS)) {
        return;
    }
    if (verdict_path(path, dir, engine, FAILS)) {
        remove_dir(path); // of an older one, the time counts
    }
    // Where this fails the next start probes again.
    if (verdict_path(path, dir, engine, verdict) && os_create(&file, path, false) == 0) {
        os_close(file, false);
    }
}
