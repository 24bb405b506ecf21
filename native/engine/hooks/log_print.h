// Included by the compiler in front of upstream's log: what it writes may be a stranger's, such as the
// source of a template that fails, or a model's name.
#pragma once

#include <cstdio>

// What goes to a terminal on stderr does not steer it: colours alone get through.
void log_print_text(FILE * file, const char * text);

template <typename... T> int log_print(FILE * file, const char * format, T... values) {
    return fprintf(file, format, values...);
}

template <> inline int log_print(FILE * file, const char * format, const char * text) {
    (void) format; // "%s"
    log_print_text(file, text);
    return 0;
}

#define fprintf log_print
