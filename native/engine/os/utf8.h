// The little of Unicode that a terminal needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

// The number of bytes of the character at `pos`; at least 1, never beyond the end.
size_t utf8_length(const std::string & text, size_t pos);

// The character at `pos`; U+FFFD where the bytes are no UTF-8.
uint32_t utf8_decode(const std::string & text, size_t pos);

// Columns that a character takes: 0 (combining), 1, or 2 (CJK, emoji).
int utf8_width(uint32_t code_point);

// Whether all of it is UTF-8 without NUL bytes.
bool utf8_is_text(const std::string & text);

// Without the control characters (but \n and \t) through which a text could steer a terminal, and with
// U+FFFD for what is no UTF-8.
std::string utf8_printable(const std::string & text);
