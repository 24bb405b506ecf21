// Windows' own texts are UTF-16, those of the stub UTF-8.
#ifndef LLAMAPACK_STUB_WIDE_H
#define LLAMAPACK_STUB_WIDE_H

#include "../os.h"

#include <wchar.h>

enum { WIDE_SIZE = PATH_SIZE + 16 };

// Both return false where the text is too long.
bool wide_text(const char * text, wchar_t * wide, size_t size);
bool utf8_text(const wchar_t * wide, char * text, size_t size);

// A path as the functions for files take it: with backslashes, and where it is long in the form that
// is not limited to 260 characters.
bool wide_path(const char * path, wchar_t wide[WIDE_SIZE]);

#endif
