// A runtime in small: prints its words, then the members of its own ZIP with their places.
#include "zip_directory.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef LOUD
#define WORD "WORD"
#else
#define WORD "word"
#endif

static int64_t read_at(void * file, void * buf, size_t size, uint64_t offset) {
    return fseek(file, (long) offset, SEEK_SET) == 0 ? (int64_t) fread(buf, 1, size, file) : -1;
}

int main(int argc, char ** argv) {
    const char *         path = getenv("LLAMAPACK_BUNDLE");
    FILE *               file = fopen(path ? path : "/proc/self/exe", "rb");
    struct zip_directory dir;
    const char *         error;
    if (getenv("LLAMAPACK_PROBE")) {
        return 0;
    }
    for (int i = 1; i < argc; i++) {
        printf(WORD " %s\n", argv[i]);
    }
    fseek(file, 0, SEEK_END);
    if (zip_directory_read(&dir, read_at, file, (uint64_t) ftell(file), &error) != 0) {
        printf("%s\n", error);
        return 7;
    }
    for (size_t i = 0; i < dir.count; i++) {
        uint64_t offset = 0;
        zip_data_offset(&dir, &dir.members[i], &offset, &error);
        printf("member %s %llu\n", dir.members[i].name, (unsigned long long) offset);
    }
    return 7;
}
