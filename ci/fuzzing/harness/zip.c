// native/bundle: the directory of an archive, and the contents of its members.
#include "input.h"
#include "zip_extract.h"

int LLVMFuzzerTestOneInput(const uint8_t * data, size_t size) {
    struct input         file = {data, size};
    struct zip_directory dir;
    const char *         error = NULL;
    size_t               taken = 0, length;
    if (zip_directory_read(&dir, input_read, &file, size, &error) != 0) {
        check(error && !dir.members && !dir.names && dir.count == 0);
        return 0;
    }
    check(dir.offset <= dir.end && dir.end <= size);
    for (size_t i = 0; i < dir.count; i++) {
        const struct zip_member * member = &dir.members[i];
        uint64_t                  offset;
        check(zip_find(&dir, member->name) == member);
        if (zip_data_offset(&dir, member, &offset, &error) == 0) {
            check(offset + member->compressed_size <= member->limit && member->limit <= dir.offset);
            if (taken <= 1000000) {
                zip_extract(&dir, member, sink_write, &taken, &error);
            }
        }
    }
    char * text = dir.count ? zip_extract_alloc(&dir, &dir.members[0], 1 << 16, &length, &error) : NULL;
    check(!text || (text[length] == 0 && length == dir.members[0].size));
    free(text);
    zip_directory_free(&dir);
    return 0;
}
