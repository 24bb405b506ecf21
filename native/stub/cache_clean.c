// Removes directories that are not wanted any more.
#include "stub.h"

#include "text.h"

#include <string.h>

enum {
    OLD_SECONDS = 3600,
    DEPTH_MAX   = 8, // no engine has folders; what lies there for another reason may be left
};

static bool is_real(const char * name) {
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static void remove_entry(const char * path, const char * name) {
    char file[PATH_SIZE];
    if (is_real(name) && text_format(file, sizeof(file), "%s/%s", path, name)) {
        remove_dir(file);
    }
}

void remove_dir(const char * path) {
    static int     depth;
    struct os_info info;
    // What a link leads to is not the cache's.
    if (depth < DEPTH_MAX && os_look(path, false, &info) == 0 && info.directory) {
        depth++;
        os_list(path, remove_entry);
        depth--;
    }
    os_remove_file(path);
}

// What the script and install.c have not finished: no other names begin with a dot.
static void remove_old(const char * path, const char * name) {
    char           old[PATH_SIZE];
    struct os_info info;
    if (name[0] == '.' && is_real(name) &&
        text_format(old, sizeof(old), "%s/%s", path, name) && os_look(old, false, &info) == 0 && (info.directory || info.file) &&
        info.modified < os_now() - OLD_SECONDS) {
        remove_dir(old);
    }
}

void clean_cache_dir(const struct cache_dir * dir) {
    static const char * const names[] = {"engines", "stubs"};
    char                      path[PATH_SIZE];
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (text_format(path, sizeof(path), "%s/%s", dir->path, names[i])) {
            os_list(path, remove_old);
        }
    }
}
