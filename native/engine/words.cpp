#include "words.h"

#include "user_error.h"

#include <cctype>
#include <cstdlib>

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// The length of the environment variable's name at `pos`; 0 if none starts there.
static size_t name_length(const std::string & text, size_t pos) {
    size_t length = 0;
    while (pos + length < text.size()) {
        const unsigned char c = (unsigned char) text[pos + length];
        if (c >= 0x80 || !(std::isalpha(c) || c == '_' || (length > 0 && std::isdigit(c)))) {
            break;
        }
        length++;
    }
    return length;
}

// Reads what follows a `$`: `NAME` or `{NAME}`, and moves past it. Anything else leaves the `$` as it is.
static std::string variable_read(const std::string & text, size_t & pos) {
    const bool   braces = pos < text.size() && text[pos] == '{';
    const size_t start  = pos + (braces ? 1 : 0);
    const size_t length = name_length(text, start);
    if (length == 0 || (braces && text.compare(start + length, 1, "}") != 0)) {
        return "$";
    }
    const char * value = std::getenv(text.substr(start, length).c_str());
    pos = start + length + (braces ? 1 : 0);
    return value ? value : "";
}

std::vector<std::string> words_parse(const std::string & text, bool expand) {
    std::vector<std::string> words;
    if (text.find('\0') != std::string::npos) {
        throw user_error(".args: it contains a NUL byte", "pack the file again, with a text of words");
    }

    size_t pos = text.rfind("\xEF\xBB\xBF", 0) == 0 ? 3 : 0; // the mark that Windows' editors put first
    while (pos < text.size()) {
        const char c = text[pos];
        if (is_blank(c)) {
            pos++;
            continue;
        }
        if (c == '#') {
            while (pos < text.size() && text[pos] != '\n') {
                pos++;
            }
            continue;
        }

        std::string current;
        char        quote = 0;
        while (pos < text.size()) {
            const char d = text[pos];
            if (quote == 0 && is_blank(d)) {
                break;
            }
            pos++;
            if (quote == '\'') {
                if (d == '\'') {
                    quote = 0;
                } else {
                    current += d;
                }
            } else if (d == '\\' && pos < text.size()) {
                current += text[pos++];
            } else if (d == '$' && expand) {
                current += variable_read(text, pos);
            } else if (d == quote) {
                quote = 0;
            } else if (quote == 0 && (d == '\'' || d == '"')) {
                quote = d;
            } else {
                current += d;
            }
        }
        if (quote != 0) {
            throw user_error(std::string(".args: the quote ") + quote + " is never closed",
                             "close it, or put a backslash in front of it");
        }
        words.push_back(current);
    }
    return words;
}

std::vector<word> words_merge(const std::vector<std::string> & defaults, const std::vector<std::string> & user) {
    std::vector<word> merged;

    const auto add_user = [&]() {
        for (const auto & text : user) {
            merged.push_back({ text, false });
        }
    };

    bool added = false;
    for (const auto & text : defaults) {
        if (text == "..." && !added) {
            add_user();
            added = true;
        } else if (text != "...") {
            merged.push_back({ text, true });
        }
    }
    if (!added) {
        add_user();
    }
    return merged;
}

std::vector<std::string> words_without(const std::vector<word> & words, size_t at, size_t count) {
    std::vector<std::string> user;
    for (size_t i = 0; i < words.size(); i++) {
        if (!words[i].is_default && (i < at || i >= at + count)) {
            user.push_back(words[i].text);
        }
    }
    return user;
}
