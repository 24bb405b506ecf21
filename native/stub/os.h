// What the stub asks of the operating system: posix/ and windows/ hold the answers. Paths and texts
// are UTF-8, and '/' separates everywhere. A function that returns an `int` without another
// explanation returns 0, or the system's error number, which os_reason() puts into words.
#ifndef LLAMAPACK_STUB_OS_H
#define LLAMAPACK_STUB_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes with the final NUL. More than any PATH_MAX, as realpath() wants it.
enum { PATH_SIZE = 4097, NAME_SIZE = 256 };

/* files.c */

typedef intptr_t os_file;

enum { OS_EXISTS = -1 };

struct os_info {
    bool     file, directory;
    // Belongs to this user; is readable, and writable by this user alone; may be run. On Windows always
    // true, as directories are checked there.
    bool     mine, safe, program;
    uint64_t size; // bytes
    int64_t  modified;
    uint64_t changed; // later than before after every change of the contents: nobody sets it back
};

const char * os_reason(int error);

int     os_look(const char * path, bool follow_link, struct os_info * info);
int     os_open(os_file * file, const char * path);
int64_t os_read_at(void * file, void * buf, size_t size, uint64_t offset); // a zip_read_at; takes an os_file *
int     os_size(os_file file, uint64_t * size);                            // of a regular file, else an error
int     os_create(os_file * file, const char * path, bool program);        // must not exist yet; private
int     os_write(os_file file, const void * data, size_t size);
int     os_close(os_file file, bool keep); // keep: what was written must outlive a loss of power

int os_make_dir(const char * path);           // private; one that exists is fine
int os_make_temporary_dir(char * path);       // replaces the last six characters, XXXXXX
int os_sync_dir(const char * path);
int os_rename_dir(const char * from, const char * to); // OS_EXISTS: there is something at `to`
void os_remove_file(const char * path);

// Calls `visit` for each name in a directory.
void os_list(const char * path, void (*visit)(const char * path, const char * name));

// Makes a path absolute, with links resolved where the system's programs do that.
int os_absolute(const char * path, char absolute[PATH_SIZE]);

int64_t os_now(void); // in the unit of os_info.modified, seconds

/* self.c */

// The host's machine, as in the names of targets: it may be another than the one that this stub was
// compiled for.
const char * os_machine(void);

// argv[0] as the user typed it, or NULL.
const char * os_typed_name(int argc, char ** argv);

// Paths at which this program may have been found, most reliable first; "" for one that is not known,
// NULL after the last.
const char * os_self_path(size_t index, const char * argv0, char buffer[PATH_SIZE]);

/* process.c */

enum verdict { WORKS, FAILS, FORBIDDEN, UNKNOWN };

// NULL also where the variable is empty.
const char * os_getenv(const char * name);
void         os_setenv(const char * name, const char * value); // NULL removes it

// Runs a program with LLAMAPACK_PROBE=1 and no terminal, for some seconds at most. FORBIDDEN: programs
// may not run there. Sets *reason unless it works, and *lasting to whether a later trial would show
// the same.
enum verdict os_probe(const char * program, const char ** reason, bool * lasting);

// Hands over to a program. Returns the reason if that fails.
const char * os_start(const char * program, char ** argv, const char * bundle);

// A TIP that fits what os_probe or os_start saw, or NULL.
const char * os_tip(void);

// Writes to standard error; then ends this program with status 1.
void           os_complain(const char * text);
_Noreturn void os_fail(void);

#endif
