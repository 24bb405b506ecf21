// Starts an engine where no directory can hold it.
#include "../stub.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

extern char ** environ;

const char * start_from_memory(const struct bundle * bundle, const struct engine * engine, char ** argv) {
    const char * cursor = engine->sums;
    struct sum   sum;
    int          fd = memfd_create("llamapack-engine", MFD_CLOEXEC | MFD_EXEC);
    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create("llamapack-engine", MFD_CLOEXEC); // Linux before 6.3 knows no MFD_EXEC
    }
    if (fd < 0) {
        return strerror(errno);
    }
    while (next_file(bundle, engine, &cursor, &sum)) {
        int error = strcmp(sum.file, TARGET_PROGRAM) == 0 ? extract_file(bundle, engine, &sum, fd) : 0;
        if (error) {
            close(fd);
            return strerror(error);
        }
    }
    // Not fexecve, which needs /proc on old kernels.
    syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
    const char * reason = strerror(errno);
    close(fd);
    return reason;
}
