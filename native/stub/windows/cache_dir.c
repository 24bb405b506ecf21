// Which directories may hold programs? The order is that of docs/bundle-format.md.
#include "../stub.h"

#include "../text.h"
#include "private_dir.h"

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

// Returns 0 if the path is a directory and not a link to one.
static int look_dir(const char * path) {
    struct os_info info;
    int            error = os_look(path, false, &info);
    return error ? error : info.directory ? 0 : ERROR_DIRECTORY;
}

// Rights count on `engines`, since these are passed on to what is in it: people point LLAMAPACK_CACHE
// to folders whose rights they never chose.
const char * check_cache_dir(const struct cache_dir * dir) {
    char path[PATH_SIZE];
    text_format(path, sizeof(path), "%s/engines", dir->path);
    int error = dir->shared ? look_dir(dir->path) : 0;
    if (!error) {
        error = look_dir(path);
    }
    return error ? os_reason(error) : check_private_dir(path);
}

// Creates a directory and its missing parents, all of them private.
static int make_dirs(const char * path) {
    char parent[PATH_SIZE];
    int  error = make_private_dir(path);
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
    return error ? error : make_private_dir(path);
}

const char * make_cache_dir(const struct cache_dir * dir) {
    char path[PATH_SIZE];
    text_format(path, sizeof(path), "%s/engines", dir->path);
    int error = make_dirs(path);
    return error ? os_reason(error) : check_cache_dir(dir);
}
