// Is this program what the bundle holds? The script, which started it, looks only at the time at which it was
// last changed; a change that hides from that shows here.
#include "stub.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

// Stubs begin at multiples of it, behind the script.
enum { BLOCK = 65536 };

static bool is_in_bundle(const struct bundle * bundle, os_file self, uint64_t size) {
    static uint8_t own[BLOCK], held[BLOCK];
    uint64_t       first = BLOCK; // where the stub begins in the bundle
    for (uint64_t at = 0; at < size;) {
        int64_t n = os_read_at(&self, own, sizeof(own), at);
        if (n <= 0) {
            return false;
        }
        os_file file = bundle->file;
        while (os_read_at(&file, held, (size_t) n, first + at) == n && memcmp(own, held, (size_t) n) != 0) {
            if (at > 0) {
                return false;
            }
            first += BLOCK;
        }
        if (memcmp(own, held, (size_t) n) != 0) {
            return false;
        }
        at += (uint64_t) n;
    }
    return true;
}

// CACHE/NAME.ok for the stub CACHE/stubs/NAME.
static bool note_path(char note[PATH_SIZE], const char * stub) {
    static const char FOLDER[] = "/stubs";
    char              cache[PATH_SIZE];
    const char *      name   = strrchr(stub, '/');
    size_t            rest   = sizeof(FOLDER) - 1;
    size_t            length = name ? (size_t) (name - stub) : 0;
    if (length <= rest || length >= sizeof(cache) || strncmp(name - rest, FOLDER, rest) != 0) {
        return false;
    }
    memcpy(cache, stub, length - rest);
    cache[length - rest] = 0;
    return text_format(note, PATH_SIZE, "%s%s.ok", cache, name);
}

void check_self(const struct bundle * bundle, int argc, char ** argv) {
    char           note[PATH_SIZE];
    struct os_info info;
    os_file        self;
    uint64_t       size;
    if (argc < 1 || !note_path(note, argv[0]) || os_look(note, false, &info) != 0 || os_open(&self, argv[0]) != 0) {
        return;
    }
    bool same = os_size(self, &size) == 0 && is_in_bundle(bundle, self, size);
    os_close(self, false);
    char ** words = same ? NULL : calloc((size_t) argc + 2, sizeof(*words));
    if (words) {
        // Without the note the script compares the stub itself, and puts the right one there.
        remove_dir(note);
        words[0] = (char *) "sh";
        words[1] = (char *) bundle->path;
        memcpy(words + 2, argv + 1, (size_t) (argc - 1) * sizeof(*words));
        os_start("/bin/sh", words, bundle->path);
        free(words);
    }
}
