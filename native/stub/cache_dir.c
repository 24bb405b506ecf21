// Which directories may hold programs? The order is that of docs/bundle-format.md.
#include "stub.h"

#include <dirent.h>
#include <stdarg.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OLD_SECONDS = 3600 };

static size_t add_dir(struct cache_dir * dir, bool shared, const char * parent, const char * format, ...)
    __attribute__((format(printf, 4, 5)));

// Adds PARENT/NAME if PARENT is set. Returns how many directories that made.
static size_t add_dir(struct cache_dir * dir, bool shared, const char * parent, const char * format, ...) {
    if (!parent || !*parent) {
        return 0;
    }
    va_list values;
    va_start(values, format);
    int length = snprintf(dir->path, PATH_MAX, "%s", parent);
    if (length < PATH_MAX) {
        length += vsnprintf(dir->path + length, (size_t) (PATH_MAX - length), format, values);
    }
    va_end(values);
    dir->shared = shared;
    // Leave room for the names below it.
    return length < PATH_MAX - 2 * NAME_MAX;
}

size_t list_cache_dirs(struct cache_dir dirs[CACHE_DIRS_MAX]) {
    static const char * const shared[] = {NULL, "/tmp", "/var/tmp", "/dev/shm"};
    const char *              only     = getenv("LLAMAPACK_CACHE");
    size_t                    n        = 0;
    if (only && *only) {
        return add_dir(&dirs[0], false, only, "%s", "");
    }
    n += add_dir(&dirs[n], false, getenv("XDG_CACHE_HOME"), "/llamapack");
    n += add_dir(&dirs[n], false, getenv("HOME"), "/.cache/llamapack");
    for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++) {
        n += add_dir(&dirs[n], true, i ? shared[i] : getenv("TMPDIR"), "/llamapack-%u", (unsigned) geteuid());
    }
    return n;
}

const char * check_cache_dir(const struct cache_dir * dir) {
    struct stat info;
    if (lstat(dir->path, &info) != 0) {
        return strerror(errno);
    }
    if (S_ISLNK(info.st_mode)) {
        // A link of one's own to a larger disk is fine, but not where others could have made it.
        if (dir->shared || info.st_uid != geteuid()) {
            return "it is a symbolic link";
        }
        if (stat(dir->path, &info) != 0) {
            return strerror(errno);
        }
    }
    if (!S_ISDIR(info.st_mode)) {
        return "it is not a directory";
    }
    if (info.st_uid != geteuid()) {
        return "it belongs to another user";
    }
    return info.st_mode & 022 ? "other users may write into it" : NULL;
}

// Creates a directory and its missing parents, all with mode 0700.
static int make_dirs(const char * path) {
    char parent[PATH_MAX];
    if (mkdir(path, 0700) == 0 || errno == EEXIST) {
        return 0;
    }
    snprintf(parent, sizeof(parent), "%s", path);
    char * slash = strrchr(parent, '/');
    if (errno != ENOENT || !slash || slash == parent) {
        return -1;
    }
    *slash = 0;
    return make_dirs(parent) == 0 ? mkdir(path, 0700) : -1;
}

const char * make_cache_dir(const struct cache_dir * dir) {
    char         path[PATH_MAX];
    const char * home = getenv("HOME");
    // A home that is not there (such as /nonexistent) is not to be invented, not even by root.
    if (home && *home && strncmp(dir->path, home, strlen(home)) == 0 && access(home, F_OK) != 0) {
        return strerror(errno);
    }
    if (dir->shared ? mkdir(dir->path, 0700) != 0 && errno != EEXIST : make_dirs(dir->path) != 0) {
        return strerror(errno);
    }
    const char * reason = check_cache_dir(dir);
    if (reason) {
        return reason;
    }
    snprintf(path, sizeof(path), "%s/engines", dir->path);
    return mkdir(path, 0700) == 0 || errno == EEXIST ? NULL : strerror(errno);
}

void remove_dir(const char * path) {
    char            file[PATH_MAX];
    DIR *           list = opendir(path);
    struct dirent * entry;
    while (list && (entry = readdir(list))) {
        if (snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) < PATH_MAX) {
            unlink(file);
        }
    }
    if (list) {
        closedir(list);
    }
    rmdir(path);
}

// Temporary directories of the script and of install.c are the only names that begin with a dot.
static void clean_old(const struct cache_dir * dir, const char * name) {
    char            path[PATH_MAX], old[PATH_MAX];
    struct stat     info;
    struct dirent * entry;
    snprintf(path, sizeof(path), "%s/%s", dir->path, name);
    DIR * list = opendir(path);
    while (list && (entry = readdir(list))) {
        if (entry->d_name[0] == '.' && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            snprintf(old, sizeof(old), "%s/%s", path, entry->d_name) < PATH_MAX && lstat(old, &info) == 0 &&
            S_ISDIR(info.st_mode) && info.st_mtime < time(NULL) - OLD_SECONDS) {
            remove_dir(old);
        }
    }
    if (list) {
        closedir(list);
    }
}

void clean_cache_dir(const struct cache_dir * dir) {
    clean_old(dir, "engines");
    clean_old(dir, "stubs");
}
