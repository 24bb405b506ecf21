// Builds texts from `%s` and `%llu`, all that the stub needs: printf would be a third of a stub.
#ifndef LLAMAPACK_STUB_TEXT_H
#define LLAMAPACK_STUB_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

// Both end the text with a NUL, cut off where it does not fit. They return whether it did.
bool text_format(char * out, size_t size, const char * format, ...) __attribute__((format(printf, 3, 4)));
bool text_format_list(char * out, size_t size, const char * format, va_list values)
    __attribute__((format(printf, 3, 0)));

#endif
