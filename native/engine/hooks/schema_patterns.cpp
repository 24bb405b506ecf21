#include "schema_patterns.h"

#include <cctype>
#include <cstring>

static const char ANY[] = R"([^"\\\x0A\x0D])";

// The letters of a class such as \d, without brackets; "" if it is none.
static std::string class_letters(char name) {
    switch (std::tolower((unsigned char) name)) {
        case 'd': return "0-9";
        case 'w': return "A-Za-z0-9_";
        case 's': return " ";
        default:  return "";
    }
}

// What is escaped outside of brackets, behind the backslash at `at`, which moves past it.
static std::string escape_plain(const std::string & pattern, size_t & at) {
    const char        next    = pattern[at + 1];
    const std::string letters = class_letters(next);
    at += 2;
    if (!letters.empty()) {
        return std::islower((unsigned char) next) ? "[" + letters + "]" : "[^" + letters + R"("\\\x0A\x0D])";
    }
    const bool is_plain = std::ispunct((unsigned char) next) && !strchr(R"(^$.[]()|{}*+?\"-)", next);
    return is_plain ? std::string(1, next) : std::string({ '\\', next });
}

// One pair of brackets, from `at` on, which moves behind it.
static std::string brackets_plain(const std::string & pattern, size_t & at) {
    const bool  is_negated = pattern.compare(at, 2, "[^") == 0;
    std::string plain      = is_negated ? R"([^"\\)" : "[";
    for (at += is_negated ? 2 : 1; at < pattern.size() && pattern[at] != ']'; at++) {
        if (pattern[at] != '\\' || at + 1 == pattern.size()) {
            plain += pattern[at];
            continue;
        }
        const char        next    = pattern[++at];
        const std::string letters = std::islower((unsigned char) next) ? class_letters(next) : "";
        if (!letters.empty()) {
            plain += letters;
        } else if (next == '^') {
            plain += "\\x5E";
        } else if (std::ispunct((unsigned char) next) && !strchr(R"(\"[]-)", next)) {
            plain += next;
        } else {
            plain += std::string({ '\\', next });
        }
    }
    if (at == pattern.size()) {
        return plain; // upstream says what is wrong
    }
    at++;
    return plain + "]";
}

static bool ends_with_anchor(const std::string & pattern) {
    size_t slashes = 0;
    while (slashes + 1 < pattern.size() && pattern[pattern.size() - 2 - slashes] == '\\') {
        slashes++;
    }
    return !pattern.empty() && pattern.back() == '$' && slashes % 2 == 0;
}

std::string schema_pattern_plain(const std::string & pattern) {
    const bool  begins = !pattern.empty() && pattern[0] == '^';
    const bool  ends   = ends_with_anchor(pattern) && pattern.size() > (begins ? 1 : 0);
    std::string plain;
    for (size_t at = begins ? 1 : 0; at < pattern.size() - (ends ? 1 : 0);) {
        const char one = pattern[at];
        if (one == '\\' && at + 1 < pattern.size()) {
            plain += escape_plain(pattern, at);
        } else if (one == '[') {
            plain += brackets_plain(pattern, at);
        } else {
            plain += one == '.' ? ANY : std::string(1, one);
            at++;
        }
    }
    if (begins && ends) {
        return "^" + plain + "$";
    }
    const std::string others = std::string(ANY) + "*";
    return "^" + (begins ? "" : others) + "(" + plain + ")" + (ends ? "" : others) + "$";
}

void schema_patterns_mend(common_json & schema) {
    if (schema.is_array()) {
        for (common_json & one : schema) {
            schema_patterns_mend(one);
        }
    }
    if (!schema.is_object()) {
        return;
    }
    for (const auto & [key, value] : schema.items()) {
        if (key == "pattern" && value.is_string()) {
            value = schema_pattern_plain(value.get<std::string>());
        } else if (key != "const" && key != "enum" && key != "default" && key != "examples") {
            schema_patterns_mend(value);
        }
    }
}
