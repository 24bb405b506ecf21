// Which of a bundle's engines could run on a host.
#ifndef LLAMAPACK_STUB_TARGET_CHOICE_H
#define LLAMAPACK_STUB_TARGET_CHOICE_H

#include <stddef.h>

enum { CANDIDATES_MAX = 2 };

struct candidate {
    char         target[32];  // such as "linux-x86_64-static"
    const char * interpreter; // where the engine runs only if this file exists; else NULL
};

// Lists the targets that a host with this system and machine can run, best first. Returns how many.
size_t list_candidates(const char * system, const char * machine, struct candidate candidates[CANDIDATES_MAX]);

// What an engine that does not start probably lacks, as a sentence that says what to do.
const char * system_floor(const char * system, const char * machine);

#endif
