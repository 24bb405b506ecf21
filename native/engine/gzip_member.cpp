#include "gzip_member.h"

#include "inflate.h"

#include <algorithm>
#include <string_view>
#include <utility>

// No name, no time, from no particular system.
static const std::string HEADER("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);

static void append_le(std::string & out, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++) {
        out += (char) (value >> 8 * i & 0xff);
    }
}

// Deflate's stored blocks (RFC 1951, section 3.2.4): for members that are not compressed.
static std::string stored_blocks(const std::string & data) {
    static constexpr size_t BLOCK = 65535;

    std::string out;
    size_t      at = 0;
    do {
        const size_t size = std::min(BLOCK, data.size() - at);
        const bool   last = at + size == data.size();
        out += (char) last;
        append_le(out, (uint32_t) size, 2);
        append_le(out, ~(uint32_t) size, 2);
        out.append(data, at, size);
        at += size;
    } while (at < data.size());
    return out;
}

std::string gzip_member(const archive & from, const zip_member & member) {
    const char * error  = "";
    uint64_t     offset = 0;
    const bool   fits   = member.size <= UINT32_MAX && member.compressed_size <= UINT32_MAX;
    const bool   known  = member.method == ZIP_DEFLATED || member.method == ZIP_STORED;
    if (!fits || !known || (member.flags & 1) != 0 || zip_data_offset(&from.directory(), &member, &offset, &error) != 0) {
        return "";
    }
    const std::string data = from.bytes(offset, member.compressed_size);
    if (data.size() != member.compressed_size) {
        return "";
    }
    std::string out = HEADER;
    out += member.method == ZIP_DEFLATED ? data : stored_blocks(data);
    append_le(out, member.crc32, 4);
    append_le(out, (uint32_t) member.size, 4);
    return out;
}

std::string gzip_plain(const void * stream, size_t size) {
    struct bounded { // by what the stream says of itself
        std::string text;
        size_t      size;
    } out{ "", 0 };
    for (size_t i = 1; i <= 4; i++) {
        out.size = out.size << 8 | ((const uint8_t *) stream)[size - i];
    }
    std::string_view deflated((const char *) stream, size);
    deflated.remove_prefix(HEADER.size());
    const inflate_status status = inflate_stream(
        [](void * source, const uint8_t ** data) {
            const std::string_view all = std::exchange(*(std::string_view *) source, {});
            *data = (const uint8_t *) all.data();
            return (int64_t) all.size();
        }, &deflated,
        [](void * sink, const void * data, size_t size) {
            bounded & kept = *(bounded *) sink;
            kept.text.append((const char *) data, size);
            return kept.text.size() > kept.size ? -1 : 0;
        }, &out);
    return status == INFLATE_OK ? out.text : "";
}
