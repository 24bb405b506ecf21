// native/cosmo: `.args` of an archive that stands behind a program; one word a line.
#include "zip_args.h"

#include "input.h"
#include "zip_extract.h"

#include <stdio.h>

static struct input input;
static void *       taken[10000]; // what zip_args.c never frees
static size_t       count;

static void * remembered(void * memory) {
    check(count < sizeof(taken) / sizeof(*taken));
    return taken[count++] = memory;
}

// zip_args.c is compiled with these in place of malloc, zip_extract_alloc and fopen.
void * input_malloc(size_t size) {
    return remembered(malloc(size));
}

char * input_extract(
    const struct zip_directory * dir, const struct zip_member * member, size_t limit, size_t * size,
    const char ** error) {
    return remembered(zip_extract_alloc(dir, member, limit, size, error));
}

FILE * input_open(const char * path, const char * mode) {
    (void) path;
    return input.size ? fmemopen((void *) input.data, input.size, mode) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t * data, size_t size) {
    static char *  given[] = {"program", "-ngl", "5", NULL};
    char **        found;
    const char *   error = NULL;
    int            argc  = 3;
    input = (struct input){data, size};
    found = zip_args("x", &argc, given, &error);
    check(found ? argc >= 3 && found[0] == given[0] && !found[argc] : error != NULL);
    for (int i = 0; found && i < argc; i++) {
        check(strlen(found[i]) <= size + sizeof("/zip/-ngl"));
    }
    while (count > 0) {
        free(taken[--count]);
    }
    return 0;
}
