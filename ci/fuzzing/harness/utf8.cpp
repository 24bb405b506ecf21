// native/engine: what a terminal is shown of a stranger's text.
#include "utf8.h"

#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t * data, size_t size) {
    const std::string text((const char *) data, size);
    for (size_t pos = 0; pos < size;) {
        const size_t length = utf8_length(text, pos);
        check(length >= 1 && pos + length <= size && utf8_width(utf8_decode(text, pos)) <= 2);
        pos += length;
    }
    const std::string shown = utf8_printable(text);
    check(utf8_is_text(shown) && utf8_printable(shown) == shown);
    for (size_t pos = 0; pos < shown.size(); pos += utf8_length(shown, pos)) {
        const uint32_t c = utf8_decode(shown, pos);
        check(c == '\n' || c == '\t' || (c >= 0x20 && (c < 0x7f || c > 0x9f)));
    }
    return 0;
}
