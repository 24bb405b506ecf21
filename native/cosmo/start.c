// What the runtime starts with: the C library calls this in place of its main(), because the program
// is linked with --wrap=main.
#include "zip_args.h"

#include <stdio.h>
#include <stdlib.h>

int __real_main(int argc, char ** argv, char ** envp);
int __wrap_main(int argc, char ** argv, char ** envp);

// Cosmopolitan's own readers of `.args`: a runtime that calls one (llamafile does) must not get the
// words twice. Weak, so that they are there only in a program that calls them.
int LoadZipArgs(int * argc, char *** argv) __attribute__((weak));
int cosmo_args(const char * path, char *** argv) __attribute__((weak));

#ifdef __COSMOPOLITAN__
#ifdef __static_yoink
__static_yoink("zipos"); // /zip/NAME can be opened, also in programs that do not know of it
#endif

char * GetProgramExecutableName(void);

static const char * program_file(void) {
    return GetProgramExecutableName();
}
#else
// Heads of llamapack extract a program before they start it, and say out of which file.
static const char * program_file(void) {
    const char * named = getenv("LLAMAPACK_BUNDLE");
    return named ? named : "/proc/self/exe";
}
#endif

int __wrap_main(int argc, char ** argv, char ** envp) {
    const char * error;
    if (!LoadZipArgs && !cosmo_args) {
        char ** words = zip_args(program_file(), &argc, argv, &error);
        if (!words) {
            fprintf(stderr, "ERROR %s: its default arguments cannot be read: %s\n", program_file(), error);
            fprintf(stderr, "TIP Fetch the file again and compare its SHA-256.\n");
            return 1;
        }
        argv = words;
    }
    return __real_main(argc, argv, envp);
}
