// Our ggml_fopen: a name that stands for a member of a bundle opens the bundle, positioned at the
// member; every other name goes on to upstream's function. gguf_init_from_file_ptr counts from the
// position it finds, and the offsets it reports are absolute, so models, shards and adapters load
// from inside a bundle with upstream's own code.

#include "ggml.h"
#include "member_table.h"

#include <errno.h>
#include <stdio.h>

#ifdef _WIN32
#    include <io.h>
#    define seek_to(file, offset) _fseeki64(file, (long long) (offset), SEEK_SET)
#    define descriptor(file)      _fileno(file)
#    define keep_from_children(file) ((void) 0)
#else
#    include <fcntl.h>
#    include <sys/types.h>
#    define seek_to(file, offset) fseeko(file, (off_t) (offset), SEEK_SET)
int fileno(FILE * file); // hidden by -std=c11
#    define descriptor(file) fileno(file)
// A browser that is opened from here would keep the bundle open.
#    define keep_from_children(file) fcntl(fileno(file), F_SETFD, FD_CLOEXEC)
#endif

// upstream's ggml_fopen, renamed by a definition on ggml.c
FILE * ggml_fopen_path(const char * path, const char * mode);

FILE * ggml_fopen(const char * fname, const char * mode) {
    char                container[4096];
    struct member_range range;

    const bool is_member = member_table_find(fname, container, sizeof(container), &range);
    if (is_member && mode[0] != 'r') {
        errno = EROFS;
        return NULL;
    }

    FILE * file = ggml_fopen_path(is_member ? container : fname, mode);
    if (!file) {
        return NULL;
    }
    keep_from_children(file);
    if (is_member && seek_to(file, range.offset) != 0) {
        fclose(file);
        return NULL;
    }
    // A descriptor that was a member's may be an ordinary file's now.
    member_table_set_fd(descriptor(file), is_member ? &range : NULL);
    return file;
}
