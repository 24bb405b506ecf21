// Which directories may hold programs? The order is that of docs/bundle-format.md.
#include "../stub.h"

#include "../text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __APPLE__
#define HOME_CACHE "/Library/Caches/llamapack"
#else
#define HOME_CACHE "/.cache/llamapack"
#endif

static const char FOREIGN[] = "it is in a directory of another user";

// Adds PARENT/NAME if PARENT is set. Returns how many directories that made.
static size_t add_dir(struct cache_dir * dir, bool shared, bool home, const char * parent, const char * name) {
    dir->shared = shared;
    dir->home   = home;
    if (home && parent && *parent != '/') {
        return 0;
    }
    // Leave room for the names below it.
    return parent && text_format(dir->path, sizeof(dir->path) - 2 * NAME_SIZE, "%s%s", parent, name);
}

size_t list_cache_dirs(struct cache_dir dirs[CACHE_DIRS_MAX]) {
    static const char * const shared[] = {NULL, "/tmp", "/var/tmp", "/dev/shm"};
    const char *              only     = os_getenv("LLAMAPACK_CACHE");
    size_t                    n        = 0;
    char                      name[NAME_SIZE];
    if (only) {
        return add_dir(&dirs[0], false, false, only, "");
    }
    n += add_dir(&dirs[n], false, true, os_getenv("XDG_CACHE_HOME"), "/llamapack");
    n += add_dir(&dirs[n], false, true, os_getenv("HOME"), HOME_CACHE);
    text_format(name, sizeof(name), "/llamapack-%llu", (unsigned long long) geteuid());
    for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++) {
        n += add_dir(&dirs[n], true, false, i ? shared[i] : os_getenv("TMPDIR"), name);
    }
    return n;
}

// Whether the nearest existing directory above `path` belongs to this user.
static bool is_in_own(const char * path) {
    char        parent[PATH_SIZE];
    struct stat info;
    text_format(parent, sizeof(parent), "%s", path);
    do {
        *strrchr(parent, '/') = 0;
    } while (*parent && stat(parent, &info) != 0);
    return (*parent || stat("/", &info) == 0) && info.st_uid == geteuid();
}

// Takes from other users what they may write into and is this user's, but not /tmp itself. Returns
// NULL if the directory exists and only this user can write into it; else why not.
static const char * check_dir(const char * path, bool shared) {
    struct stat info;
    if (lstat(path, &info) != 0) {
        return strerror(errno);
    }
    if (S_ISLNK(info.st_mode)) {
        // A link of one's own to a larger disk is fine, but not where others could have made it.
        if (shared || info.st_uid != geteuid()) {
            return "it is a symbolic link";
        }
        if (stat(path, &info) != 0) {
            return strerror(errno);
        }
    }
    if (!S_ISDIR(info.st_mode)) {
        return "it is not a directory";
    }
    if (info.st_uid != geteuid()) {
        return "it belongs to another user";
    }
    bool others = info.st_mode & 022;
    return others && (info.st_mode & S_ISVTX || chmod(path, info.st_mode & 07755) != 0) ? "other users may write into it"
                                                                                     : NULL;
}

const char * check_cache_dir(const struct cache_dir * dir) {
    static char path[PATH_SIZE], text[NAME_SIZE];
    if (dir->home && !is_in_own(dir->path)) {
        return FOREIGN;
    }
    const char * reason = check_dir(dir->path, dir->shared);
    if (reason) {
        return reason;
    }
    text_format(path, sizeof(path), "%s/stubs", dir->path);
    check_dir(path, dir->shared); // the script cannot see who may write
    text_format(path, sizeof(path), "%s/engines", dir->path);
    if ((reason = check_dir(path, dir->shared))) {
        text_format(text, sizeof(text), "its folder `engines`: %s", reason);
    }
    return reason ? text : NULL;
}

// Creates a directory and its missing parents, all with mode 0700.
static int make_dirs(const char * path) {
    char parent[PATH_SIZE];
    int  error = os_make_dir(path);
    text_format(parent, sizeof(parent), "%s", path);
    char * slash = strrchr(parent, '/');
    if (error != ENOENT || !slash || slash == parent) {
        return error;
    }
    *slash = 0;
    error  = make_dirs(parent);
    return error ? error : os_make_dir(path);
}

const char * make_cache_dir(const struct cache_dir * dir) {
    char         path[PATH_SIZE], aside[PATH_SIZE];
    struct stat  info;
    const char * home = os_getenv("HOME");
    // A home that is not there (such as /nonexistent) is not to be invented, not even by root.
    if (home && strncmp(dir->path, home, strlen(home)) == 0 && access(home, F_OK) != 0) {
        return strerror(errno);
    }
    if (dir->home && !is_in_own(dir->path)) {
        if (geteuid() == 0) {
            os_complain("NOTE `");
            os_complain(dir->path);
            os_complain("` is not used: it is below a home that is not root's\n");
        }
        return FOREIGN;
    }
    int error = dir->shared ? os_make_dir(dir->path) : make_dirs(dir->path);
    if (error) {
        return strerror(error);
    }
    const char * reason = check_dir(dir->path, dir->shared);
    if (reason) {
        return reason;
    }
    text_format(path, sizeof(path), "%s/engines", dir->path);
    // What is not a directory steps aside: LLAMAPACK_CACHE may name a directory with other things in it.
    if (!(error = os_make_dir(path)) && (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) &&
        text_format(aside, sizeof(aside), "%s.%llu", path, (unsigned long long) getpid()) && rename(path, aside) == 0) {
        error = os_make_dir(path);
    }
    return error ? strerror(error) : check_cache_dir(dir);
}
