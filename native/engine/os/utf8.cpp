#include "utf8.h"

static size_t utf8_expected_length(unsigned char lead) {
    return lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
}

size_t utf8_length(const std::string & text, size_t pos) {
    const size_t expected = utf8_expected_length((unsigned char) text[pos]);
    size_t       n        = 1;
    while (n < expected && pos + n < text.size() && ((unsigned char) text[pos + n] & 0xC0) == 0x80) {
        n++;
    }
    return n;
}

uint32_t utf8_decode(const std::string & text, size_t pos) {
    const unsigned char lead = (unsigned char) text[pos];
    const size_t        n    = utf8_length(text, pos);
    if (lead < 0x80) {
        return lead;
    }
    if (n == 1 || n != utf8_expected_length(lead)) {
        return 0xFFFD;
    }
    uint32_t code_point = lead & (0x7F >> n);
    for (size_t i = 1; i < n; i++) {
        code_point = code_point << 6 | ((unsigned char) text[pos + i] & 0x3F);
    }
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const bool            valid    = code_point >= least[n] && code_point <= 0x10FFFF && (code_point & 0x1FF800) != 0xD800;
    return valid ? code_point : 0xFFFD;
}

int utf8_width(uint32_t code_point) {
    static const uint32_t zero[][2] = {
        {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F}, {0x0900, 0x0902},
        {0x093C, 0x093C}, {0x0941, 0x0948}, {0x094D, 0x094D}, {0x0E31, 0x0E31}, {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E},
        {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0x3099, 0x309A}, {0xFE00, 0xFE0F},
        {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}, {0x1F3FB, 0x1F3FF}, {0xE0020, 0xE01EF},
    };
    static const uint32_t two[][2] = {
        {0x1100, 0x115F}, {0x231A, 0x231B}, {0x23E9, 0x23EC}, {0x2614, 0x2615}, {0x2648, 0x2653}, {0x26A1, 0x26A1},
        {0x26BD, 0x26BE}, {0x2705, 0x2705}, {0x270A, 0x270B}, {0x2728, 0x2728}, {0x274C, 0x274C}, {0x2753, 0x2757},
        {0x2795, 0x2797}, {0x2B50, 0x2B50}, {0x2E80, 0x303E}, {0x3041, 0xA4CF}, {0xA960, 0xA97F}, {0xAC00, 0xD7A3},
        {0xF900, 0xFAFF}, {0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF},
        {0x1F900, 0x1F9FF}, {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD},
    };
    for (const auto & range : zero) {
        if (code_point >= range[0] && code_point <= range[1]) {
            return 0;
        }
    }
    for (const auto & range : two) {
        if (code_point >= range[0] && code_point <= range[1]) {
            return 2;
        }
    }
    return 1;
}

bool utf8_is_text(const std::string & text) {
    for (size_t pos = 0; pos < text.size(); pos += utf8_length(text, pos)) {
        if (text[pos] == '\0' || (utf8_decode(text, pos) == 0xFFFD && text.compare(pos, 3, "\xEF\xBF\xBD") != 0)) {
            return false;
        }
    }
    return true;
}

// Writing from right to left and its kin: what follows would be shown in another order than it has.
static bool utf8_is_bidi(uint32_t code_point) {
    return code_point == 0x061C || code_point == 0x200E || code_point == 0x200F || (code_point >= 0x202A && code_point <= 0x202E) ||
           (code_point >= 0x2066 && code_point <= 0x2069);
}

std::string utf8_printable(const std::string & text) {
    std::string result;
    for (size_t pos = 0, n; pos < text.size(); pos += n) {
        n                         = utf8_length(text, pos);
        const uint32_t code_point = utf8_decode(text, pos);
        const bool     control    = code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0);
        if (code_point == 0xFFFD) { // what stays of a broken character could be half of a control
            result += "\xEF\xBF\xBD";
        } else if ((!control || code_point == '\n' || code_point == '\t') && !utf8_is_bidi(code_point)) {
            result.append(text, pos, n);
        }
    }
    return result;
}
