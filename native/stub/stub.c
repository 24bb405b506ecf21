// What happens at the start of a bundle, in order. See stub.h for the other files.
#include "stub.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#define TARGET      "linux-x86_64"
#define INTERPRETER "/lib64/ld-linux-x86-64.so.2"
#elif defined(__aarch64__)
#define TARGET      "linux-aarch64"
#define INTERPRETER "/lib/ld-linux-aarch64.so.1"
#else
#error "name the target and its dynamic loader"
#endif

#define ADVICE "Set LLAMAPACK_CACHE to a directory of yours in which programs may run."

extern char ** environ;

_Noreturn void die(const char * tip, const char * format, ...) {
    va_list values;
    va_start(values, format);
    fputs("ERROR ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    if (tip) {
        fprintf(stderr, "TIP %s\n", tip);
    }
    exit(1);
}

// Why each directory would not do, for the message when none does.
static char reasons[REASONS_SIZE];

static void add_reason(const char * where, const char * reason) {
    size_t used = strlen(reasons);
    snprintf(reasons + used, sizeof(reasons) - used, "%s`%s` (%s)", used ? ", " : "", where, reason);
}

// Replaces this program by the engine in the cache. Returns if the directory will not do after all.
static const char * start_from_cache(const struct cache_dir * dir, const struct engine * engine, char ** argv) {
    char path[PATH_MAX];
    engine_path(path, dir, engine, "/llamapack-engine");
    execve(path, argv, environ);
    return errno == EACCES ? "programs may not run in it" : strerror(errno);
}

// Starts the engine if the cache directory has it. Returns FAILS if it cannot work on this host.
static enum verdict try_cached(
    const struct bundle * bundle, const struct cache_dir * dir, const struct engine * engine, char ** argv) {
    char path[PATH_MAX];
    if (check_cache_dir(dir) != NULL) {
        return UNKNOWN;
    }
    enum verdict verdict = recall_verdict(dir, engine);
    engine_path(path, dir, engine, "");
    if (verdict == FAILS || !is_cached(bundle, engine, path)) {
        return verdict;
    }
    if (verdict == UNKNOWN) {
        verdict = probe_engine(path);
        record_verdict(dir, engine, verdict);
    }
    if (verdict == WORKS) {
        start_from_cache(dir, engine, argv);
    }
    return verdict;
}

// Starts the engine from the first directory that will hold it. Returns if there is none, or if the
// engine cannot work on this host.
static void start_engine(const struct bundle * bundle, const struct engine * engine, char ** argv) {
    static struct cache_dir dirs[CACHE_DIRS_MAX];
    size_t                  count = list_cache_dirs(dirs);
    for (size_t i = 0; i < count; i++) {
        if (try_cached(bundle, &dirs[i], engine, argv) == FAILS) {
            return;
        }
    }
    *reasons = 0;
    for (size_t i = 0; i < count; i++) {
        const char * reason = make_cache_dir(&dirs[i]);
        if (!reason) {
            clean_cache_dir(&dirs[i]);
            reason = install_engine(bundle, &dirs[i], engine);
        }
        if (!reason && recall_verdict(&dirs[i], engine) == FAILS) {
            return;
        }
        add_reason(dirs[i].path, reason ? reason : start_from_cache(&dirs[i], engine, argv));
    }
}

// Says which targets the bundle has engines for.
static _Noreturn void die_without_engine(const struct bundle * bundle) {
    char   names[REASONS_SIZE] = "";
    size_t used                = 0;
    for (size_t i = 0; i < bundle->dir.count && used < sizeof(names); i++) {
        const char * name   = bundle->dir.members[i].name;
        const char * target = strncmp(name, "engines/", 8) == 0 ? name + 8 : "";
        size_t       length = strcspn(target, "/");
        if (strcmp(target + length, "/SHA256SUMS") == 0) {
            used += (size_t) snprintf(
                names + used, sizeof(names) - used, "%s%.*s", used ? ", " : "", (int) length, target);
        }
    }
    die("Run it on one of these, or repack it with an engine for this machine.",
        "`%s` has no engine that starts on this " TARGET "; it has: %s", bundle->path, names);
}

int main(int argc, char ** argv) {
    static struct bundle bundle;
    static struct engine dynamic, fixed;
    const char *         probe = getenv("LLAMAPACK_PROBE");
    if (probe && strcmp(probe, "1") == 0) {
        return 0;
    }
    find_bundle(&bundle, argc > 0 ? argv[0] : NULL);
    char * nothing[] = {NULL, NULL};
    if (argc < 1) {
        argv = nothing;
    }
    argv[0] = (char *) bundle.name;
    setenv("LLAMAPACK_BUNDLE", bundle.path, 1);

    if (find_engine(&bundle, TARGET, INTERPRETER, &dynamic)) {
        start_engine(&bundle, &dynamic, argv);
    }
    if (!find_engine(&bundle, TARGET "-static", NULL, &fixed)) {
        if (*reasons) {
            die(ADVICE, "no directory can hold the engine of `%s`: %s", bundle.path, reasons);
        }
        die_without_engine(&bundle);
    }
    const char * feature = missing_cpu_feature();
    if (feature) {
        die("A bundle's engine for Linux with glibc also runs on older CPUs.",
            "the engine " TARGET "-static of `%s` needs %s, which this CPU lacks", bundle.path, feature);
    }
    start_engine(&bundle, &fixed, argv);
    add_reason("memory", start_from_memory(&bundle, &fixed, argv));
    die(ADVICE, "no directory can hold the engine of `%s`: %s", bundle.path, reasons);
}
