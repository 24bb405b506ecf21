// Prints what native/engine/os/utf8.cpp leaves of stdin for a terminal.

#include "utf8.h"

#include <cstdio>

int main() {
    std::string text;
    for (int byte; (byte = getchar()) != EOF;) {
        text += (char) byte;
    }
    const std::string shown = utf8_printable(text);
    fwrite(shown.data(), 1, shown.size(), stdout);
}
