// Stands in for Windows' own tar.exe: `tar -xf - MEMBER <FILE` puts one member of a ZIP, in which offsets
// may exceed 4 GiB, into the current directory. Its reader is native/bundle's, not libarchive's.
#include "zip_directory.h"
#include "zip_extract.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

static int64_t read_at(void * file, void * buf, size_t size, uint64_t offset) {
    OVERLAPPED place = {.Offset = (DWORD) offset, .OffsetHigh = (DWORD) (offset >> 32)};
    DWORD      n     = 0;
    return ReadFile(file, buf, (DWORD) size, &n, &place) || GetLastError() == ERROR_HANDLE_EOF ? n : -1;
}

static int write_all(void * sink, const void * data, size_t size) {
    return fwrite(data, 1, size, sink) == size ? 0 : -1;
}

int main(int argc, char ** argv) {
    struct zip_directory      dir;
    const struct zip_member * member;
    LARGE_INTEGER             size;
    HANDLE                    file  = GetStdHandle(STD_INPUT_HANDLE);
    const char *              error = "wrong words";
    if (argc != 4 || strcmp(argv[1], "-xf") != 0 || strcmp(argv[2], "-") != 0 || !GetFileSizeEx(file, &size) ||
        zip_directory_read(&dir, read_at, file, (uint64_t) size.QuadPart, &error) != 0) {
        fprintf(stderr, "tar.exe: %s\n", error);
        return 1;
    }
    char * slash = strrchr(argv[3], '/');
    FILE * out   = NULL;
    if ((member = zip_find(&dir, argv[3])) && slash) {
        *slash = 0;
        CreateDirectoryA(argv[3], NULL);
        *slash = '/';
        out    = fopen(argv[3], "wb");
    }
    if (!out || zip_extract(&dir, member, write_all, out, &error) != 0 || fclose(out) != 0) {
        fprintf(stderr, "tar.exe: %s: %s\n", argv[3], error);
        return 1;
    }
    return 0;
}
