#include "zip_args.h"

#include "zip_extract.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { ARGS_MAX = 1 << 20 }; // bytes

static int64_t read_at(void * file, void * buf, size_t size, uint64_t offset) {
    if (fseeko(file, (off_t) offset, SEEK_SET) != 0) {
        return -1;
    }
    size_t got = fread(buf, 1, size, file);
    return ferror((FILE *) file) ? -1 : (int64_t) got;
}

// The word as the runtime is to see it; NULL without memory.
static char * word_resolve(const struct zip_directory * dir, char * word) {
    if (!zip_find(dir, word)) {
        return word;
    }
    char * path = malloc(sizeof("/zip/") + strlen(word));
    return path ? strcat(strcpy(path, "/zip/"), word) : NULL;
}

// `text` stays in use: words point into it.
static char ** words_merge(
    const struct zip_directory * dir, char * text, int * argc, char ** argv, const char ** error) {
    size_t lines = 1;
    for (const char * p = text; *p; p++) {
        lines += *p == '\n';
    }
    const size_t given  = *argc > 0 ? (size_t) *argc : 0;
    char **      merged = malloc((given + lines + 1) * sizeof(*merged));
    size_t       count  = 0;
    bool         placed = false;
    *error = "out of memory";
    if (!merged) {
        return NULL;
    }
    if (given > 0) {
        merged[count++] = argv[0];
    }
    for (char * word = strtok(text, "\n"); word; word = strtok(NULL, "\n")) {
        if (strcmp(word, "...") != 0) {
            if (!(merged[count++] = word_resolve(dir, word))) {
                return NULL;
            }
        } else if (!placed) {
            for (size_t i = 1; i < given; i++) {
                merged[count++] = argv[i];
            }
            placed = true;
        }
    }
    for (size_t i = 1; i < given && !placed; i++) {
        merged[count++] = argv[i];
    }
    merged[count] = NULL;
    *argc = (int) count;
    return merged;
}

static char ** args_of_archive(
    const struct zip_directory * dir, int * argc, char ** argv, const char ** error) {
    const struct zip_member * member = zip_find(dir, ".args");
    size_t                    size;
    if (!member) {
        return argv;
    }
    char * text = zip_extract_alloc(dir, member, ARGS_MAX, &size, error);
    return text ? words_merge(dir, text, argc, argv, error) : NULL;
}

char ** zip_args(const char * path, int * argc, char ** argv, const char ** error) {
    struct zip_directory dir;
    FILE *               file = fopen(path, "rb");
    if (!file || fseeko(file, 0, SEEK_END) != 0) {
        *error = "it cannot be opened";
        return NULL;
    }
    // Without an archive it is the runtime alone, which runs with the user's words.
    char ** words = argv;
    if (zip_directory_read(&dir, read_at, file, (uint64_t) ftello(file), error) == 0) {
        words = args_of_archive(&dir, argc, argv, error);
        zip_directory_free(&dir);
    }
    fclose(file);
    return words;
}
