// What happens at the start of a bundle, in order. See stub.h for the other files.
#include "stub.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

#define ADVICE "Set LLAMAPACK_CACHE to a directory of yours where programs may run."

_Noreturn void die(const char * tip, const char * format, ...) {
    static char line[2 * PATH_SIZE];
    va_list     values;
    va_start(values, format);
    text_format_list(line, sizeof(line), format, values);
    va_end(values);
    os_complain("ERROR ");
    os_complain(line);
    os_complain("\nTIP ");
    os_complain(tip);
    os_complain("\n");
    os_fail();
}

// Why each directory would not do, for the message when none does.
static char reasons[REASONS_SIZE];

// Why the engines that were tried did not start.
static char failures[REASONS_SIZE];

static void add_reason(char list[REASONS_SIZE], const char * where, const char * reason) {
    size_t used = strlen(list);
    text_format(list + used, REASONS_SIZE - used, "%s`%s` (%s)", used ? ", " : "", where, reason);
}

static enum verdict failed(const struct engine * engine, const char * reason) {
    *reasons = 0; // a directory that would not do is not the trouble then
    add_reason(failures, engine->target, reason);
    return FAILS;
}

// Replaces this program by the engine in the cache. Returns if the directory will not do after all.
static const char * start_from_cache(
    const struct bundle * bundle, const struct cache_dir * dir, const struct engine * engine, char ** argv) {
    char path[PATH_SIZE], program[PATH_SIZE];
    return engine_path(path, dir, engine, "") && program_path(program, path) ? os_start(program, argv, bundle->path)
                                                                             : "its path is too long";
}

// What to do about an engine that failed at an earlier start; empty if none did.
static char retry[2 * PATH_SIZE];

// Starts the engine if the cache directory has it. Returns FAILS if it cannot work on this host.
static enum verdict try_cached(
    const struct bundle * bundle, const struct cache_dir * dir, const struct engine * engine, char ** argv) {
    char         path[PATH_SIZE], program[PATH_SIZE];
    const char * reason  = "as an earlier start found";
    bool         lasting = true;
    if (check_cache_dir(dir) != NULL) {
        return UNKNOWN;
    }
    enum verdict verdict = recall_verdict(dir, engine);
    if (verdict == FAILS) {
        verdict_path(path, dir, engine, FAILS);
        text_format(
            retry, sizeof(retry), "`rm '%s'` makes the next start try it again, as any start after a day does. ", path);
        return failed(engine, reason);
    }
    if (!is_cached(bundle, dir, engine) || !engine_path(path, dir, engine, "") || !program_path(program, path)) {
        return UNKNOWN;
    }
    if (verdict == UNKNOWN && (verdict = os_probe(program, &reason, &lasting)) == WORKS) {
        record_verdict(dir, engine, WORKS);
    }
    if (verdict == WORKS) {
        start_from_cache(bundle, dir, engine, argv);
    }
    // What a disk has lost shows in the hashes alone.
    forget_check(dir, engine);
    if (!is_cached(bundle, dir, engine)) {
        return UNKNOWN;
    }
    if (verdict == FAILS && lasting) {
        record_verdict(dir, engine, FAILS);
    }
    return verdict == FAILS ? failed(engine, reason) : verdict;
}

// Starts the engine from the first directory that will hold it. Returns FAILS if the engine cannot
// work on this host, and UNKNOWN if there is no such directory.
static enum verdict start_engine(const struct bundle * bundle, const struct engine * engine, char ** argv) {
    static struct cache_dir dirs[CACHE_DIRS_MAX];
    size_t                  count = list_cache_dirs(dirs);
    for (size_t i = 0; i < count; i++) {
        if (try_cached(bundle, &dirs[i], engine, argv) == FAILS) {
            return FAILS;
        }
    }
    *reasons = 0;
    for (size_t i = 0; i < count; i++) {
        enum verdict verdict = UNKNOWN;
        const char * failure = NULL;
        const char * reason  = make_cache_dir(&dirs[i]);
        if (!reason && !is_cached(bundle, &dirs[i], engine)) {
            clean_cache_dir(&dirs[i]);
            reason = install_engine(bundle, &dirs[i], engine, &verdict, &failure);
        }
        if (verdict == FAILS) {
            return failed(engine, failure);
        }
        add_reason(reasons, dirs[i].path, reason ? reason : start_from_cache(bundle, &dirs[i], engine, argv));
    }
    return UNKNOWN;
}

// Says which targets the bundle has engines for.
static _Noreturn void die_without_engine(const struct bundle * bundle, const char * host) {
    char   names[REASONS_SIZE] = "";
    char   target[NAME_SIZE];
    for (size_t i = 0; i < bundle->dir.count; i++) {
        const char * name   = bundle->dir.members[i].name;
        size_t       length = strncmp(name, "engines/", 8) == 0 ? strcspn(name + 8, "/") : 0;
        size_t       used   = strlen(names);
        if (length && length < sizeof(target) && strcmp(name + 8 + length, "/SHA256SUMS") == 0) {
            memcpy(target, name + 8, length);
            target[length] = 0;
            text_format(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", target);
        }
    }
    die("Run it on one of these, or repack it with an engine for this machine.",
        "`%s` has no engine that starts on this %s; it has: %s", bundle->path, host, names);
}

#ifdef __linux__
static void check_cpu(const struct bundle * bundle, const struct engine * engine) {
    const char * feature = engine->interpreter ? NULL : missing_cpu_feature();
    if (feature) {
        die("A bundle's engine for Linux with glibc also runs on older CPUs.",
            "the engine %s of `%s` needs %s, which this CPU lacks", engine->target, bundle->path, feature);
    }
}
#endif

int main(int argc, char ** argv) {
    static struct bundle    bundle;
    static struct candidate candidates[CANDIDATES_MAX];
    static struct engine    engine;
    const char *            probe     = os_getenv("LLAMAPACK_PROBE");
    char *                  nothing[] = {NULL, NULL};
    if (probe && strcmp(probe, "1") == 0) {
        return 0;
    }
    find_bundle(&bundle, os_typed_name(argc, argv));
    check_self(&bundle, argc, argv);
    if (argc < 1) {
        argv = nothing;
    }
    argv[0] = (char *) bundle.name;
    os_setenv("LLAMAPACK_BUNDLE", bundle.path);

    size_t count = list_candidates(TARGET_SYSTEM, os_machine(), candidates);
    for (size_t i = 0; i < count; i++) {
        if (!find_engine(&bundle, &candidates[i], &engine)) {
            continue;
        }
#ifdef __linux__
        check_cpu(&bundle, &engine);
#endif
        enum verdict verdict = start_engine(&bundle, &engine, argv);
#ifdef __linux__
        if (verdict != FAILS && !engine.interpreter) {
            add_reason(reasons, "memory", start_from_memory(&bundle, &engine, argv));
        }
#else
        if (verdict != FAILS) {
            break;
        }
#endif
    }
    if (*reasons) {
        die(os_tip() ? os_tip() : ADVICE, "no directory can hold the engine of `%s`: %s", bundle.path, reasons);
    }
    if (*failures) {
        static char tip[3 * PATH_SIZE];
        text_format(tip, sizeof(tip), "%s%s", retry, system_floor(TARGET_SYSTEM, os_machine()));
        die(os_tip() ? os_tip() : tip, "no engine of `%s` starts here: %s", bundle.path, failures);
    }
    die_without_engine(&bundle, candidates[0].target);
}
