// Included by the compiler in front of upstream's arg.cpp, which reads the files that options name with
// std::ifstream. Without a mode, and so as text, a file says the same on every system:
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
    explicit llamapack_text_file(const string & path) {
        if (path != "-") {
            open(path, ios::binary);
        }
        if (path == "-" || is_open()) {
            text.str(plain(path == "-" ? cin : *this));
            ios::rdbuf(&text);
        }
    }
    llamapack_text_file(const string & path, openmode mode) : ifstream(path, mode) {}
};
}

#define ifstream llamapack_text_file
