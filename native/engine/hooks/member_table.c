#include "member_table.h"

#include "ggml-threading.h"

#include <stdlib.h>
#include <string.h>

struct named_member {
    char *              name;
    char *              container;
    struct member_range range;
};

struct open_member {
    int                 fd;
    struct member_range range;
};

static struct named_member * named;
static size_t                named_count;

static struct open_member * opened;
static size_t               opened_count;

static char * copy_text(const char * text) {
    const size_t size = strlen(text) + 1;
    char *       copy = malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

bool member_table_add(const char * name, const char * container, struct member_range range) {
    bool done = false;
    ggml_critical_section_start();
    struct named_member * grown = realloc(named, (named_count + 1) * sizeof(*named));
    if (grown) {
        named = grown;
        struct named_member added = { copy_text(name), copy_text(container), range };
        if (added.name && added.container) {
            named[named_count++] = added;
            done = true;
        } else {
            free(added.name);
            free(added.container);
        }
    }
    ggml_critical_section_end();
    return done;
}

bool member_table_find(const char * name, char * container, int size, struct member_range * range) {
    bool found = false;
    ggml_critical_section_start();
    // The last one added wins, as in a ZIP archive with two entries of one name.
    for (size_t i = named_count; i-- > 0 && !found;) {
        const size_t length = strlen(named[i].container) + 1;
        if (strcmp(named[i].name, name) == 0 && length <= (size_t) size) {
            memcpy(container, named[i].container, length);
            *range = named[i].range;
            found  = true;
        }
    }
    ggml_critical_section_end();
    return found;
}

void member_table_set_fd(int fd, const struct member_range * range) {
    ggml_critical_section_start();
    size_t i = 0;
    while (i < opened_count && opened[i].fd != fd) {
        i++;
    }
    if (!range) {
        if (i < opened_count) {
            opened[i] = opened[--opened_count];
        }
    } else {
        if (i == opened_count) {
            struct open_member * grown = realloc(opened, (opened_count + 1) * sizeof(*opened));
            if (grown) {
                opened = grown;
                opened_count++;
            }
        }
        if (i < opened_count) {
            opened[i].fd    = fd;
            opened[i].range = *range;
        }
    }
    ggml_critical_section_end();
}

bool member_table_get_fd(int fd, struct member_range * range) {
    bool found = false;
    ggml_critical_section_start();
    for (size_t i = 0; i < opened_count && !found; i++) {
        if (opened[i].fd == fd) {
            *range = opened[i].range;
            found  = true;
        }
    }
    ggml_critical_section_end();
    return found;
}
