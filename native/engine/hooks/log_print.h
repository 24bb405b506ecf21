// Included by the compiler in front of upstream's log: what it writes may be a stranger's, such as the
// source of a template that fails, or a model's name.
#pragma once

#include <cstdio>
#include <string>

// What goes to a terminal on stderr does not steer it: colours alone get through.
void log_print_text(FILE * file, const char * text);

template <typename... T> int log_print(FILE * file, const char * format, T... values) {
    return fprintf(file, format, values...);
}

template <> inline int log_print(FILE * file, const char * format, const char * text) {
    log_print_text(file, std::string(format) == "%s\n" ? (std::string(text) + '\n').c_str() : text);
    return 0;
}

// A message up to its last line ends, what takes its colour back, and these line ends.
inline int log_print(FILE * file, const char * format, int size, const char * text, const char * reset, const char * end) {
    (void) format; // "%.*s%s%s"
    log_print_text(file, (std::string(text, (size_t) size) + reset + end).c_str());
    return 0;
}

#define fprintf log_print
