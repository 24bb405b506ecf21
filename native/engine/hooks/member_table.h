// Which names stand for members of a bundle, and where their bytes lie.
//
// The front end fills the table at start; ggml_fopen looks names up in it. Thread-safe.
#ifndef LLAMAPACK_MEMBER_TABLE_H
#define LLAMAPACK_MEMBER_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#if defined(_WIN32)
#    if defined(GGML_BUILD)
#        define MEMBER_TABLE_API __declspec(dllexport)
#    elif defined(GGML_SHARED)
#        define MEMBER_TABLE_API __declspec(dllimport)
#    endif
#endif
#ifndef MEMBER_TABLE_API
#    define MEMBER_TABLE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

// A run of bytes in a file.
struct member_range {
    uint64_t offset; // from byte 0 of the container
    uint64_t size;   // bytes
};

// Lets `name` stand for a stored member. `container` is the path of the file that holds it.
// Returns false when memory is out.
MEMBER_TABLE_API bool member_table_add(const char * name, const char * container, struct member_range range);

// Copies the container's path (at most `size` bytes with its NUL) and the range of `name`.
// Returns false if the name stands for no member.
MEMBER_TABLE_API bool member_table_find(const char * name, char * container, int size, struct member_range * range);

// Remembers that file descriptor `fd` is open on a member, or on no member when `range` is NULL.
MEMBER_TABLE_API void member_table_set_fd(int fd, const struct member_range * range);

// The member that `fd` was opened on by ggml_fopen. Returns false for a file of its own.
MEMBER_TABLE_API bool member_table_get_fd(int fd, struct member_range * range);

#ifdef __cplusplus
}
#endif

#endif
