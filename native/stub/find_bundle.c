// Which file is the bundle that this stub came from?
#include "stub.h"

#include "text.h"

#include <string.h>

// Opens `path` as the bundle. Returns NULL, or why it is none.
static const char * open_bundle(struct bundle * bundle, const char * path) {
    uint64_t     size;
    const char * reason = NULL;
    int          error  = os_open(&bundle->file, path);
    if (error) {
        return os_reason(error);
    }
    if ((error = os_size(bundle->file, &size))) {
        reason = os_reason(error);
    } else if (zip_directory_read(&bundle->dir, os_read_at, &bundle->file, size, &reason) == 0) {
        for (size_t i = 0; i < bundle->dir.count; i++) {
            if (strncmp(bundle->dir.members[i].name, "engines/", 8) == 0) {
                return NULL;
            }
        }
        zip_directory_free(&bundle->dir);
        reason = "it holds no engine";
    }
    os_close(bundle->file, false);
    return reason;
}

// Takes `path` as the bundle if it is one; leaves why not in *reason.
static bool try_bundle(struct bundle * bundle, const char * path, const char ** reason) {
    const char * problem = open_bundle(bundle, path);
    int          error   = problem ? 0 : os_absolute(path, bundle->path);
    if (problem || error) {
        *reason = problem ? problem : os_reason(error);
    }
    return !problem && !error;
}

void find_bundle(struct bundle * bundle, const char * argv0) {
    static char  buffer[PATH_SIZE];
    const char * given  = os_getenv("LLAMAPACK_BUNDLE");
    const char * reason = "it is not there";
    const char * path;
    bool         ok     = false;
    if (given) {
        bundle->name = given;
        ok           = try_bundle(bundle, given, &reason);
    } else {
        bundle->name = argv0 ? argv0 : bundle->path;
        for (size_t i = 0; !ok && (path = os_self_path(i, argv0, buffer)); i++) {
            if (!argv0 && i == 0) {
                text_format(bundle->path, sizeof(bundle->path), "%s", path);
            }
            ok = *path && try_bundle(bundle, path, &reason);
        }
    }
    if (!ok) {
        die("If it was downloaded, compare its size and SHA-256 with the publisher's, and fetch it again if they differ.",
            "`%s` is not a whole bundle: %s", bundle->name, reason);
    }
}
