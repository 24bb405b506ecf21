// Environment, programs and messages.
#include "../os.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char ** environ;

enum {
    PROBE_TIME = 10000, // milliseconds
    DEATH_TIME = 1000,  // more than that passes only where a disk hangs
};

static const char NO_PROGRAMS[] = "programs may not run in it";

const char * os_getenv(const char * name) {
    const char * value = getenv(name);
    return value && *value ? value : NULL;
}

void os_setenv(const char * name, const char * value) {
    if (value) {
        setenv(name, value, 1);
    } else {
        unsetenv(name);
    }
}

// A container may have no /dev at all.
static void close_terminal(posix_spawn_file_actions_t * actions) {
    bool null = access("/dev/null", R_OK | W_OK) == 0;
    for (int fd = 0; fd < 3; fd++) {
        if (null) {
            posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
        } else if (fcntl(fd, F_GETFD) >= 0) {
            posix_spawn_file_actions_addclose(actions, fd);
        }
    }
}

// Errors that are about the program or the system, not about the directory it lies in.
static bool is_wrong_program(int error) {
    return error == ENOENT || error == ENOEXEC
#ifdef ELIBBAD
           || error == ELIBBAD
#endif
#ifdef EBADARCH
           || error == EBADARCH || error == EBADEXEC || error == EBADMACHO
#endif
        ;
}

static const char * tip;

const char * os_tip(void) {
    return tip;
}

// What to do about that for which alone programs may fail in this process, or NULL.
static const char * restriction(void) {
    static const char * const names[] = {"LD_", "DYLD_", "GLIBC_TUNABLES="};
    for (char ** entry = environ; *entry; entry++) {
        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
            if (strncmp(*entry, names[i], strlen(names[i])) == 0) {
                return "Unset the LD_*, DYLD_* and GLIBC_TUNABLES variables, and start it again.";
            }
        }
    }
#ifdef RLIMIT_AS
    struct rlimit memory;
    if (getrlimit(RLIMIT_AS, &memory) == 0 && memory.rlim_cur != RLIM_INFINITY) {
        return "Raise the limit of memory (`ulimit -v unlimited`), and start it again.";
    }
#endif
    return NULL;
}

// Returns NULL if the process ended in time, else why not.
static const char * wait_for_end(pid_t pid, int * status) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < PROBE_TIME + DEATH_TIME; i++) {
        if (i == PROBE_TIME) {
            kill(pid, SIGKILL);
        }
        pid_t ended = waitpid(pid, status, WNOHANG);
        if (ended == pid && i < PROBE_TIME) {
            return NULL;
        }
        if (ended == pid || (ended < 0 && errno != EINTR)) {
            return ended == pid ? "it did not end on a trial" : strerror(errno);
        }
        nanosleep(&pause, NULL);
    }
    return "it did not end on a trial";
}

enum verdict os_probe(const char * program, const char ** reason, bool * lasting) {
    // Where the caller ignores it nobody hears how children end.
    const struct sigaction     heard  = {.sa_handler = SIG_DFL};
    char *                     argv[] = {(char *) program, NULL};
    posix_spawn_file_actions_t actions;
    struct sigaction           before;
    pid_t                      pid;
    int                        status = 0;
    posix_spawn_file_actions_init(&actions);
    close_terminal(&actions);
    os_setenv("LLAMAPACK_PROBE", "1");
    sigaction(SIGCHLD, &heard, &before);
    int error = posix_spawn(&pid, program, &actions, NULL, argv, environ);
    os_setenv("LLAMAPACK_PROBE", NULL);
    posix_spawn_file_actions_destroy(&actions);
    const char * trouble = error ? NULL : wait_for_end(pid, &status);
    sigaction(SIGCHLD, &before, NULL);
    if (error) {
        *reason  = error == EACCES || error == EPERM ? NO_PROGRAMS : strerror(error);
        *lasting = error != ENOENT && !restriction(); // it was there just now
        return is_wrong_program(error) ? FAILS : FORBIDDEN;
    }
    // Whoever sends a signal, such as a system without memory, may not do so again.
    const char * remedy = restriction();
    *lasting            = !trouble && WIFEXITED(status) && !remedy;
    *reason             = trouble               ? trouble
                          : WIFSIGNALED(status) ? "the system ended it on a trial"
                          : remedy              ? "it failed on a trial, maybe for LD_* variables or a limit of memory"
                                                : "it failed on a trial";
    if (!trouble && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return WORKS;
    }
    tip = remedy;
    return FAILS;
}

const char * os_start(const char * program, char ** argv, const char * bundle) {
    (void) bundle; // argv[0] names it
    execve(program, argv, environ);
    return errno == EACCES ? NO_PROGRAMS : strerror(errno);
}

void os_complain(const char * text) {
    os_write(STDERR_FILENO, text, strlen(text));
}

void os_fail(void) {
    exit(1);
}
