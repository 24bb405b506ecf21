// Puts an engine into the cache, or into memory.
#include "stub.h"

#include "../bundle/sha256.h"
#include "../bundle/zip_extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char ** environ;

struct output {
    int           fd;
    int           error; // errno of a write that failed
    struct sha256 hash;
};

static int write_output(void * sink, const void * data, size_t size) {
    struct output * output = sink;
    sha256_update(&output->hash, data, size);
    while (size > 0) {
        ssize_t n = write(output->fd, data, size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            output->error = errno;
            return -1;
        }
        data = (const char *) data + n;
        size -= (size_t) n;
    }
    return 0;
}

// Copies a file of the engine out of the bundle. Returns 0, or the errno of a failed write; ends the
// program if the contents are not what SHA256SUMS says.
static int extract_file(
    const struct bundle * bundle, const struct engine * engine, const struct sum * sum, int fd) {
    struct output output = {.fd = fd};
    uint8_t       digest[32];
    char          hex[65];
    const char *  reason = NULL;
    sha256_init(&output.hash);
    if (zip_extract(&bundle->dir, sum->member, write_output, &output, &reason) != 0 && output.error) {
        return output.error;
    }
    sha256_final(&output.hash, digest);
    sha256_hex(digest, hex);
    if (!reason && strcmp(hex, sum->hex) != 0) {
        reason = "its SHA-256 differs";
    }
    if (reason) {
        die("Fetch it again, or repack it.", "`%s` is damaged: its member engines/%s/%s: %s", bundle->path,
            engine->target, sum->file, reason);
    }
    return 0;
}

// What is half written must go also when the bundle turns out to be damaged.
static char temporary[PATH_MAX];

static void remove_temporary(void) {
    if (*temporary) {
        remove_dir(temporary);
    }
}

static int sync_and_close(int fd) {
    int error = fsync(fd) != 0 && errno != EINVAL ? errno : 0;
    return close(fd) != 0 && !error ? errno : error;
}

// Writes all files of the engine into the directory `path`. Returns 0 or an errno.
static int extract_files(const struct bundle * bundle, const struct engine * engine, const char * path) {
    const char * cursor = engine->sums;
    char         file[PATH_MAX];
    struct sum   sum;
    int          fd, error;
    while (next_file(bundle, engine, &cursor, &sum)) {
        mode_t mode = strcmp(sum.file, "llamapack-engine") == 0 ? 0700 : 0600;
        if (snprintf(file, sizeof(file), "%s/%s", path, sum.file) >= PATH_MAX) {
            return ENAMETOOLONG;
        }
        if ((fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)) < 0) {
            return errno;
        }
        error = extract_file(bundle, engine, &sum, fd);
        // The umask may have taken rights away.
        if (!error && fchmod(fd, mode) != 0) {
            error = errno;
        }
        int closed = sync_and_close(fd);
        if (error || closed) {
            return error ? error : closed;
        }
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? errno : sync_and_close(fd);
}

// Renames the finished directory to its final name. What is there already was either put there by
// another process just now, which is fine, or is damaged and goes away.
static int publish(const struct bundle * bundle, const struct engine * engine, const char * final) {
    char trash[PATH_MAX];
    for (int i = 0; i < 100; i++) {
        if (rename(temporary, final) == 0) {
            return 0;
        }
        if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR) {
            return errno;
        }
        if (is_cached(bundle, engine, final)) {
            return 0;
        }
        if (snprintf(trash, sizeof(trash), "%s.old-%d", temporary, i) >= PATH_MAX) {
            return ENAMETOOLONG;
        }
        if (rename(final, trash) == 0) {
            remove_dir(trash);
            unlink(trash);
        }
    }
    return EBUSY;
}

const char * install_engine(const struct bundle * bundle, const struct cache_dir * dir, const struct engine * engine) {
    char final[PATH_MAX];
    int  length = snprintf(
        temporary, sizeof(temporary), "%s/engines/.%s-%s-XXXXXX", dir->path, engine->target, engine->id);
    if (length >= PATH_MAX || !mkdtemp(temporary)) {
        *temporary = 0;
        return strerror(errno);
    }
    atexit(remove_temporary);
    engine_path(final, dir, engine, "");

    int error = extract_files(bundle, engine, temporary);
    if (!error) {
        enum verdict verdict = probe_engine(temporary);
        if (verdict == FORBIDDEN) {
            error = EACCES;
        } else {
            record_verdict(dir, engine, verdict);
            error = verdict == WORKS ? publish(bundle, engine, final) : 0;
        }
    }
    remove_temporary();
    *temporary = 0;
    return error == EACCES ? "programs may not run in it" : error ? strerror(error) : NULL;
}

/* ------------------------------------------- memory ------------------------------------------ */

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

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
        int error = strcmp(sum.file, "llamapack-engine") == 0 ? extract_file(bundle, engine, &sum, fd) : 0;
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
