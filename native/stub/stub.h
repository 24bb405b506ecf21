// The start stub: finds the bundle it came from, puts that bundle's engine into a private cache and
// hands over to it. See docs/bundle-format.md, "Engines and the cache".
//
//   stub.c           what happens, in order
//   find_bundle.c    which file is the bundle
//   self_check.c     whether the stub in the cache is the bundle's
//   target_choice.c  which engines could run on this host
//   targets.h        the systems, out of native/targets.toml
//   engine.c         one engine of the bundle, and whether the cache has it
//   install.c        from the bundle into the cache
//   verdict.c        what earlier probes have found
//   cache_clean.c    what killed starts left behind
//   text.c           texts for messages and paths
//   os.h             what differs between systems: posix/ and windows/, and linux/ for what only it can
#ifndef LLAMAPACK_STUB_H
#define LLAMAPACK_STUB_H

#include "../bundle/zip_directory.h"
#include "os.h"
#include "target_choice.h"
#include "targets.h"

enum { CACHE_DIRS_MAX = 7, REASONS_SIZE = 1024 };

/* stub.c */

// Prints one ERROR line and one TIP line; ends with status 1.
_Noreturn void die(const char * tip, const char * format, ...) __attribute__((format(printf, 2, 3)));

/* find_bundle.c */

struct bundle {
    char                 path[PATH_SIZE]; // absolute
    const char *         name;            // as the user typed it, where that is known
    os_file              file;
    struct zip_directory dir;
};

void find_bundle(struct bundle * bundle, const char * argv0);

/* self_check.c */

// Begins again with `sh BUNDLE` if the script took a damaged stub for the right one.
void check_self(const struct bundle * bundle, int argc, char ** argv);

/* cache_dir.c in posix/ and windows/ */

struct cache_dir {
    char path[PATH_SIZE];
    bool shared; // lies where other users may create files: no symbolic links there
    bool home;   // lies in a home, which must be this user's: root may have been given another's
};

// Fills `dirs` with the directories to try, in order, and returns their number.
size_t list_cache_dirs(struct cache_dir dirs[CACHE_DIRS_MAX]);

// Returns NULL if the directory and its `engines` exist and only this user can write into them; else
// why not. Takes the right from others where that is this user's to do.
const char * check_cache_dir(const struct cache_dir * dir);

// Creates the directory and its `engines` if need be. Returns NULL, or why it cannot be used.
const char * make_cache_dir(const struct cache_dir * dir);

/* cache_clean.c */

// Removes what killed starts left behind more than an hour ago.
void clean_cache_dir(const struct cache_dir * dir);

// Removes a directory and the files in it. What cannot be removed stays.
void remove_dir(const char * path);

/* engine.c */

struct engine {
    const char * target;      // such as "linux-x86_64-static"
    const char * interpreter; // what loads it, NULL if that needs no check
    char         state[64];   // size and time of the interpreter: verdicts hold for these alone
    char         id[33];      // first 32 hex digits of the SHA-256 of `sums`
    char *       sums;        // the contents of its SHA256SUMS
};

// One line of SHA256SUMS.
struct sum {
    char                      hex[65];
    char                      file[NAME_SIZE];
    const struct zip_member * member;
};

// Finds the engine for a target. False if the bundle or the interpreter is missing.
bool find_engine(const struct bundle * bundle, const struct candidate * candidate, struct engine * engine);

// Steps through the files that make up the engine; `*cursor` starts as engine->sums.
bool next_file(const struct bundle * bundle, const struct engine * engine, const char ** cursor, struct sum * sum);

// Writes the path of the engine in a cache directory, followed by `suffix`. False: it is too long.
bool engine_path(char path[PATH_SIZE], const struct cache_dir * dir, const struct engine * engine, const char * suffix);

// Writes the path of the engine's executable in its directory.
bool program_path(char program[PATH_SIZE], const char * path);

// Whether all files of the engine are there as they were installed. Their hashes are compared only
// if a file was changed, or merely touched, since they last were.
bool is_cached(const struct bundle * bundle, const struct cache_dir * dir, const struct engine * engine);

// Has the hashes compared by the next is_cached().
void forget_check(const struct cache_dir * dir, const struct engine * engine);

// Tells later starts that the files, as they are now, have the right hashes.
void note_check(const struct bundle * bundle, const struct cache_dir * dir, const struct engine * engine);

/* install.c */

// Puts the engine into the cache directory and lets it run once. *verdict is WORKS, or FAILS with
// *reason set, if NULL was returned; else the return value says why this directory will not do. Ends
// the program if the bundle is damaged.
const char * install_engine(
    const struct bundle * bundle, const struct cache_dir * dir, const struct engine * engine,
    enum verdict * verdict, const char ** reason);

// Copies a file of the engine out of the bundle. Returns 0, or the error of a failed write; ends the
// program if the contents are not what SHA256SUMS says.
int extract_file(const struct bundle * bundle, const struct engine * engine, const struct sum * sum, os_file file);

/* verdict.c */

// What an earlier probe in this cache directory, on a host with the same interpreter, has found; of
// failures, in the last day.
enum verdict recall_verdict(const struct cache_dir * dir, const struct engine * engine);
void         record_verdict(const struct cache_dir * dir, const struct engine * engine, enum verdict verdict);

// Writes the path of the file that remembers a verdict, WORKS or FAILS. False: it is too long.
bool verdict_path(
    char path[PATH_SIZE], const struct cache_dir * dir, const struct engine * engine, enum verdict verdict);

/* linux/ */

// Starts a static engine without any directory. Returns, with the reason, only if it fails.
const char * start_from_memory(const struct bundle * bundle, const struct engine * engine, char ** argv);

// Names what a static engine needs of an x86-64 CPU and this one lacks, or returns NULL.
const char * missing_cpu_feature(void);

#endif
