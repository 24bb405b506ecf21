// Does an engine start here at all? A C library that is too old, a mount without programs or a CPU
// without AVX2 are cheaper to learn from one trial than to predict.
#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif

extern char ** environ;

enum verdict probe_engine(const char * path) {
    char                       program[PATH_MAX];
    char *                     argv[] = {program, NULL};
    posix_spawn_file_actions_t actions;
    pid_t                      pid;
    int                        status;
    snprintf(program, sizeof(program), "%s/llamapack-engine", path);
    posix_spawn_file_actions_init(&actions);
    for (int fd = 0; fd < 3; fd++) {
        posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    }
    setenv("LLAMAPACK_PROBE", "1", 1);
    int error = posix_spawn(&pid, program, &actions, NULL, argv, environ);
    unsetenv("LLAMAPACK_PROBE");
    posix_spawn_file_actions_destroy(&actions);
    if (error) {
        return error == ENOENT || error == ENOEXEC || error == ELIBBAD ? FAILS : FORBIDDEN;
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return FAILS;
        }
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? WORKS : FAILS;
}

/* ------------------------------------------ verdicts ----------------------------------------- */

// A home may be shared by hosts with different C libraries, and a host's may be updated: so the name
// of the marker holds the size and time of the interpreter it was found with.
static void verdict_path(char path[PATH_MAX], const struct cache_dir * dir, const struct engine * engine, bool works) {
    char suffix[sizeof(engine->state) + 16];
    snprintf(suffix, sizeof(suffix), ".%s-%s", works ? "works" : "fails", engine->state);
    engine_path(path, dir, engine, suffix);
}

enum verdict recall_verdict(const struct cache_dir * dir, const struct engine * engine) {
    char path[PATH_MAX];
    if (!engine->interpreter) {
        return WORKS;
    }
    verdict_path(path, dir, engine, true);
    if (access(path, F_OK) == 0) {
        return WORKS;
    }
    verdict_path(path, dir, engine, false);
    return access(path, F_OK) == 0 ? FAILS : UNKNOWN;
}

void record_verdict(const struct cache_dir * dir, const struct engine * engine, enum verdict verdict) {
    char path[PATH_MAX];
    if (engine->interpreter && (verdict == WORKS || verdict == FAILS)) {
        verdict_path(path, dir, engine, verdict == WORKS);
        // Where this fails the next start probes again.
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    }
}

/* -------------------------------------------- CPU -------------------------------------------- */

const char * missing_cpu_feature(void) {
#ifdef __x86_64__
    unsigned a, b, c, d, b7 = 0, low = 0, high;
    if (!__get_cpuid(1, &a, &b, &c, &d)) {
        return "AVX2";
    }
    __get_cpuid_count(7, 0, &a, &b7, &a, &d);
    if (c & bit_OSXSAVE) {
        __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    }
    // XCR0 bits 1 and 2: the system saves the wide registers.
    return (low & 6) != 6 || !(b7 & bit_AVX2) ? "AVX2"
           : !(c & bit_FMA)                   ? "FMA"
           : !(c & bit_F16C)                  ? "F16C"
           : !(b7 & bit_BMI2)                 ? "BMI2"
                                              : NULL;
#else
    return NULL;
#endif
}
