// Environment, programs and messages.
#include "../os.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char ** environ;

const char * const os_engine_name = "llamapack-engine";

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

enum verdict os_probe(const char * program, const char ** reason) {
    char *                     argv[] = {(char *) program, NULL};
    posix_spawn_file_actions_t actions;
    pid_t                      pid;
    int                        status;
    posix_spawn_file_actions_init(&actions);
    close_terminal(&actions);
    os_setenv("LLAMAPACK_PROBE", "1");
    int error = posix_spawn(&pid, program, &actions, NULL, argv, environ);
    os_setenv("LLAMAPACK_PROBE", NULL);
    posix_spawn_file_actions_destroy(&actions);
    if (error) {
        *reason = error == EACCES || error == EPERM ? NO_PROGRAMS : strerror(error);
        return is_wrong_program(error) ? FAILS : FORBIDDEN;
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            *reason = strerror(errno);
            return FAILS;
        }
    }
    *reason = WIFSIGNALED(status) ? "the system ended it on a trial" : "it failed on a trial";
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? WORKS : FAILS;
}

const char * os_start(const char * program, char ** argv, const char * bundle) {
    (void) bundle; // argv[0] names it
    execve(program, argv, environ);
    return errno == EACCES ? NO_PROGRAMS : strerror(errno);
}

const char * os_tip(void) {
    return NULL;
}

void os_complain(const char * text) {
    os_write(STDERR_FILENO, text, strlen(text));
}

void os_fail(void) {
    exit(1);
}
