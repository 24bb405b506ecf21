// Reads the central directory of a ZIP archive that may be prefixed by other data (a bundle's head
// and stubs) and followed by other data (a signature). Portable C11; all file access goes through a
// callback. No input, however hostile, makes these functions read out of bounds or allocate more
// than a small multiple of the archive's own size.
//
// Format: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory),
// 4.3.14 and 4.3.15 (ZIP64 end records), 4.3.16 (end record), 4.5.3 (ZIP64 extra field).
#ifndef LLAMAPACK_ZIP_DIRECTORY_H
#define LLAMAPACK_ZIP_DIRECTORY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ZIP_STORED = 0, ZIP_DEFLATED = 8 };

// Reads up to `size` bytes at `offset` of `file` into `buf`. Returns how many bytes were read (fewer
// than `size` only at the end of the file), or -1.
typedef int64_t (*zip_read_at)(void * file, void * buf, size_t size, uint64_t offset);

struct zip_member {
    const char * name;            // NUL-terminated, '/' separates; owned by the directory
    uint64_t     size;            // bytes, uncompressed
    uint64_t     compressed_size; // bytes
    uint64_t     header_offset;   // of the local header, from byte 0 of the file
    uint64_t     limit;           // its data end there at the latest: the next member begins, or the directory
    uint32_t     crc32;
    uint16_t     method;          // ZIP_STORED, ZIP_DEFLATED or one that we do not read
    uint16_t     flags;           // general purpose bit flag; bit 0: encrypted
};

struct zip_directory {
    struct zip_member * members; // in the order of the directory; of those with one name only the last
    size_t              count;
    uint64_t            offset;  // where the directory starts: no member's data reaches past it
    uint64_t            end;     // offset just past the end record and its comment
    zip_read_at         read;
    void *              file;    // borrowed, must outlive the directory
    char *              names;   // what the members' names point into
};

// Reads the directory of the archive in `file`, which is `file_size` bytes long. The rules are in
// docs/bundle-format.md, and runtime/formats/zip_directory.py keeps the same ones.
// Returns 0, or -1 with *error set to a static sentence fragment such as "no ZIP end record".
// On failure *dir is empty, and zip_directory_free is not needed but harmless.
int zip_directory_read(
    struct zip_directory * dir, zip_read_at read, void * file, uint64_t file_size, const char ** error);

// Finds a member by its exact name. NULL: none.
const struct zip_member * zip_find(const struct zip_directory * dir, const char * name);

// Stores in *offset where the member's data start, counted from byte 0 of the file. Reads the local
// header, which can differ from the central one in length only. Returns 0, or -1 with *error set.
int zip_data_offset(
    const struct zip_directory * dir, const struct zip_member * member, uint64_t * offset, const char ** error);

// Frees what zip_directory_read allocated and empties *dir.
void zip_directory_free(struct zip_directory * dir);

#ifdef __cplusplus
}
#endif

#endif
