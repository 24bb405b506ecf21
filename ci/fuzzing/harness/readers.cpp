// For Python: what C reads of a ZIP directory and of `.args`, as one text that Python's readers can match.
#include "input.h"
#include "user_error.h"
#include "words.h"
#include "zip_directory.h"

#include <string>

static std::string shown;

// Per archive `COUNT OFFSET END`, per member its name in hex digits, method, flags, CRC-32, sizes, and
// offset of the data or -1; NULL for what is refused.
extern "C" const char * zip_listing(const uint8_t * data, size_t size) {
    input         file{ data, size };
    zip_directory dir;
    const char *  error = "";
    if (zip_directory_read(&dir, input_read, &file, size, &error) != 0) {
        return nullptr;
    }
    const auto add = [](uint64_t number) { shown += " " + std::to_string(number); };
    shown = std::to_string(dir.count);
    add(dir.offset);
    add(dir.end);
    for (size_t i = 0; i < dir.count; i++) {
        const zip_member & m = dir.members[i];
        shown += "\n";
        for (const char * p = m.name; *p; p++) {
            shown += "0123456789abcdef"[(uint8_t) *p >> 4];
            shown += "0123456789abcdef"[*p & 15];
        }
        add(m.method);
        add(m.flags);
        add(m.crc32);
        add(m.compressed_size);
        add(m.size);
        uint64_t offset = 0;
        shown += zip_data_offset(&dir, &m, &offset, &error) == 0 ? " " + std::to_string(offset) : " -1";
    }
    zip_directory_free(&dir);
    return shown.c_str();
}

// The words in hex digits, each with a blank behind it; NULL for a text that is refused.
extern "C" const char * args_listing(const uint8_t * data, size_t size) {
    shown = "";
    try {
        for (const std::string & word : words_parse(std::string((const char *) data, size), false)) {
            for (const char c : word) {
                shown += "0123456789abcdef"[(uint8_t) c >> 4];
                shown += "0123456789abcdef"[c & 15];
            }
            shown += " ";
        }
    } catch (const user_error &) {
        return nullptr;
    }
    return shown.c_str();
}
