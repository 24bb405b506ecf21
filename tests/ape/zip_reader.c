/* A program that reads its own ZIP: lists its members, then prints `.args`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned number(const unsigned char *at, int bytes) {
    unsigned value = 0;
    while (bytes--) value = value << 8 | at[bytes];
    return value;
}

int main(int argc, char **argv) {
    const char *path = getenv("LLAMAPACK_BUNDLE");
    if (getenv("LLAMAPACK_PROBE")) return 0;
    FILE *file = fopen(path ? path : "/proc/self/exe", "rb");
    if (!file) return 2;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    unsigned char *data = malloc(size), *end = data + size - 22;
    rewind(file);
    if (fread(data, 1, size, file) != (size_t)size) return 3;
    while (end > data && memcmp(end, "PK\5\6", 4)) end--;
    unsigned char *entry = data + number(end + 16, 4);
    for (unsigned left = number(end + 10, 2); left; left--) {
        unsigned name = number(entry + 28, 2);
        unsigned char *local = data + number(entry + 42, 4);
        unsigned char *content = local + 30 + number(local + 26, 2) + number(local + 28, 2);
        printf("%.*s %ld\n", (int)name, entry + 46, (long)(content - data));
        if (name == 5 && !memcmp(entry + 46, ".args", 5))
            printf("<%.*s>\n", (int)number(entry + 24, 4), content);
        entry += 46 + name + number(entry + 30, 2) + number(entry + 32, 2);
    }
    return 0;
}
