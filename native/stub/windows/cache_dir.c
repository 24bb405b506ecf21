// Which directories may hold programs? The order is that of docs/bundle-format.md.
#include "../stub.h"

#include "../text.h"
#include "wide.h"

#include <string.h>
#include <windows.h>

static size_t add_dir(struct cache_dir * dir, bool shared, const char * parent, const char * name) {
    dir->shared = shared;
    return parent && text_format(dir->path, sizeof(dir->path) - 2 * NAME_SIZE, "%s%s", parent, name);
}

size_t list_cache_dirs(struct cache_dir dirs[CACHE_DIRS_MAX]) {
    const char * only = os_getenv("LLAMAPACK_CACHE");
    size_t       n    = 0;
    if (only) {
        return add_dir(&dirs[0], false, only, "");
    }
    n += add_dir(&dirs[n], false, os_getenv("LOCALAPPDATA"), "\\llamapack");
    n += add_dir(&dirs[n], true, os_getenv("TEMP"), "\\llamapack");
    return n;
}

const char * check_cache_dir(const struct cache_dir * dir) {
    struct os_info info;
    int            error = os_look(dir->path, false, &info);
    return error ? os_reason(error) : !info.directory ? "it is not a directory" : NULL;
}

static int make_dirs(const char * path) {
    char parent[PATH_SIZE];
    int  error = os_make_dir(path);
    text_format(parent, sizeof(parent), "%s", path);
    size_t length = strlen(parent);
    while (length > 0 && parent[length - 1] != '/' && parent[length - 1] != '\\') {
        length--;
    }
    if (error != ERROR_PATH_NOT_FOUND || length < 2) {
        return error;
    }
    parent[length - 1] = 0;
    error              = make_dirs(parent);
    return error ? error : os_make_dir(path);
}

const char * make_cache_dir(const struct cache_dir * dir) {
    char path[PATH_SIZE];
    int  error = make_dirs(dir->path);
    if (error) {
        return os_reason(error);
    }
    const char * reason = check_cache_dir(dir);
    if (reason) {
        return reason;
    }
    text_format(path, sizeof(path), "%s/engines", dir->path);
    return (error = os_make_dir(path)) ? os_reason(error) : NULL;
}
