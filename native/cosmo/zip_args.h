// Reads `.args` from the ZIP behind a program, as `llamapack pack --runtime` writes it: one word on
// each line, taken as it is; a line `...` stands for the user's words.
#ifndef LLAMAPACK_ZIP_ARGS_H
#define LLAMAPACK_ZIP_ARGS_H

// Puts the words of `.args` in the file `path` before those of `argv` (after argv[0]), or around
// them. A word that is the name of a member becomes /zip/NAME, which Cosmopolitan's C library opens.
//
// Returns the new vector, ended by NULL, and sets *argc; the memory is never freed, since the words
// are the program's for its whole life. Returns `argv` itself where there is no `.args`. NULL: it
// cannot be read, and *error says why, as a static sentence fragment.
char ** zip_args(const char * path, int * argc, char ** argv, const char ** error);

#endif
