// Included by the compiler in front of upstream's arg.cpp and preset.cpp, which read the files that options
// name with std::ifstream. Without a mode, and so as text, a file says the same on every system:
//   - the mark that Windows' editors put in front of UTF-8 is skipped
//   - CR LF is LF
//   - `-` is standard input
#pragma once

#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>

namespace std {
class llamapack_text_file : public ifstream {
    stringbuf text;

    static string plain(istream & from) {
        string plain;
        for (istreambuf_iterator<char> c(from), end; c != end;) {
            const char one = *c;
            ++c;
            if (one != '\r' || c == end || *c != '\n') {
                plain += one;
            }
        }
        return plain.rfind("\xEF\xBB\xBF", 0) == 0 ? plain.substr(3) : plain;
    }

  public:
    template <typename T> explicit llamapack_text_file(const T & path) { // a string, or a filesystem::path
        const bool is_input = path == T("-");
        if (!is_input) {
            open(path, ios::binary);
        }
        if (is_input || is_open()) {
            text.str(plain(is_input ? cin : *this));
            ios::rdbuf(&text);
        }
    }
    template <typename T> llamapack_text_file(const T & path, openmode mode) : ifstream(path, mode) {}
};
}

#define ifstream llamapack_text_file
