// Which file is the bundle that this stub came from?
#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t read_fd(void * file, void * buf, size_t size, uint64_t offset) {
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(*(int *) file, (char *) buf + done, size - done, (off_t) (offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        done += (size_t) n;
    }
    return (int64_t) done;
}

// Opens `path` as the bundle. Returns NULL, or why it is none.
static const char * open_bundle(struct bundle * bundle, const char * path) {
    struct stat  info;
    const char * reason = NULL;
    bundle->fd          = open(path, O_RDONLY | O_CLOEXEC);
    if (bundle->fd < 0) {
        return strerror(errno);
    }
    if (fstat(bundle->fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        reason = "it is not a regular file";
    } else if (zip_directory_read(&bundle->dir, read_fd, &bundle->fd, (uint64_t) info.st_size, &reason) == 0) {
        for (size_t i = 0; i < bundle->dir.count; i++) {
            if (strncmp(bundle->dir.members[i].name, "engines/", 8) == 0) {
                return NULL;
            }
        }
        zip_directory_free(&bundle->dir);
        reason = "it holds no engine";
    }
    close(bundle->fd);
    return reason;
}

// Looks for argv[0] the way the shell that started us did.
static bool search_path(char found[PATH_MAX], const char * argv0) {
    const char * dirs = getenv("PATH");
    if (strchr(argv0, '/') || !dirs) {
        return snprintf(found, PATH_MAX, "%s", argv0) < PATH_MAX;
    }
    for (;; dirs++) {
        size_t length = strcspn(dirs, ":");
        int    size   = snprintf(found, PATH_MAX, "%.*s/%s", length ? (int) length : 1, length ? dirs : ".", argv0);
        if (size < PATH_MAX && access(found, R_OK) == 0) {
            return true;
        }
        dirs += length;
        if (!*dirs) {
            return false;
        }
    }
}

// Takes `path` as the bundle if it is one; leaves why not in *reason.
static bool try_bundle(struct bundle * bundle, const char * path, const char ** reason) {
    const char * problem = open_bundle(bundle, path);
    if (!problem && !realpath(path, bundle->path)) {
        problem = strerror(errno);
    }
    if (problem) {
        *reason = problem;
    }
    return !problem;
}

void find_bundle(struct bundle * bundle, const char * argv0) {
    static char  found[PATH_MAX];
    const char * given  = getenv("LLAMAPACK_BUNDLE");
    const char * execfn = (const char *) getauxval(AT_EXECFN);
    const char * reason = "it is not there";
    bool         ok;
    if (given && *given) {
        bundle->name = given;
        ok           = try_bundle(bundle, given, &reason);
    } else {
        bundle->name = argv0 ? argv0 : bundle->path;
        ok           = try_bundle(bundle, "/proc/self/exe", &reason) ||
             (argv0 && search_path(found, argv0) && try_bundle(bundle, found, &reason)) ||
             (execfn && try_bundle(bundle, execfn, &reason));
    }
    if (!ok) {
        die("If it was downloaded, compare its size and SHA-256 with the publisher's, and fetch it again if they differ.",
            "`%s` is not a whole bundle: %s", bundle->name, reason);
    }
}
