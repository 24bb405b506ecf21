#include "log_print.h"

#include "terminal.h"
#include "utf8.h"

#include <cstring>
#include <string>

// The length of a sequence that sets colours, `ESC [ 0 ; 1 m`, at `text`; 0 if none is there.
static size_t colour_length(const char * text) {
    if (text[0] != '\x1b' || text[1] != '[') {
        return 0;
    }
    const size_t digits = strspn(text + 2, "0123456789;");
    return text[2 + digits] == 'm' ? digits + 3 : 0;
}

void log_print_text(FILE * file, const char * text) {
    if (file != stderr || !terminal_error_is_tty()) {
        fputs(text, file);
        return;
    }
    std::string plain, shown;
    while (*text) {
        if (const size_t length = colour_length(text)) {
            shown += utf8_printable(plain) + std::string(text, length);
            plain.clear();
            text += length;
        } else {
            plain += *text++;
        }
    }
    fputs((shown + utf8_printable(plain)).c_str(), file);
}
