// Included by the compiler in front of upstream's arg.cpp and preset.cpp, which read the files that options
// name with std::ifstream. Without a mode, and so as text, a file says the same on every system:
//   - the mark that Windows' editors put in front of UTF-8 is skipped
//   - CR LF is LF
//   - UTF-16, which begins with such a mark, is UTF-8
//   - `-` is standard input
// A folder, which opens like a file on some systems, is none.
#pragma once

#include <filesystem>
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

    // PowerShell writes UTF-16.
    static string utf8(istream & from) {
        const int first = from.peek();
        if (first != 0xFF && first != 0xFE) {
            return plain(from);
        }
        const string wide((istreambuf_iterator<char>(from)), istreambuf_iterator<char>());
        const size_t low = first == 0xFF ? 0 : 1;
        const auto   at  = [&](size_t i) { return (unsigned char) wide[i + low] | (unsigned char) wide[i + 1 - low] << 8; };
        if (wide.size() < 2 || at(0) != 0xFEFF) {
            istringstream same(wide);
            return plain(same);
        }
        static const unsigned LEADS[] = { 0, 0xC0, 0xE0, 0xF0 };
        stringstream          narrow;
        for (size_t i = 2; i + 1 < wide.size(); i += 2) {
            unsigned code = at(i);
            if (code >> 10 == 0x36 && i + 3 < wide.size() && at(i + 2) >> 10 == 0x37) {
                code = 0x10000 + ((code & 0x3FF) << 10) + (at(i += 2) & 0x3FF);
            }
            for (int bits = code < 0x80 ? 0 : code < 0x800 ? 6 : code < 0x10000 ? 12 : 18, all = bits; bits >= 0; bits -= 6) {
                narrow << (char) (bits < all ? 0x80 | (code >> bits & 0x3F) : LEADS[all / 6] | code >> bits);
            }
        }
        return plain(narrow);
    }

  public:
    template <typename T> explicit llamapack_text_file(const T & path) { // a string, or a filesystem::path
        const bool is_input = path == T("-");
        if (!is_input) {
            open(path, ios::binary);
        }
        error_code error;
        if (!is_input && filesystem::is_directory(path, error)) {
            close();
            setstate(failbit);
        } else if (is_input || is_open()) {
            text.str(utf8(is_input ? cin : *this));
            ios::rdbuf(&text);
        }
    }
    template <typename T> llamapack_text_file(const T & path, openmode mode) : ifstream(path, mode) {}
};
}

#define ifstream llamapack_text_file
