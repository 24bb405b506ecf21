#include "bundle.h"

#include "ggml.h"
#include "member_table.h"
#include "temporary_file.h"
#include "user_error.h"
#include "zip_extract.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#ifdef _WIN32
#    define file_seek _fseeki64
#    define file_tell _ftelli64
#else
#    define file_seek fseeko
#    define file_tell ftello
#endif

static constexpr size_t READ_LIMIT = 64u << 20;

static int64_t file_read_at(void * file, void * buf, size_t size, uint64_t offset) {
    FILE * f = (FILE *) file;
    if (file_seek(f, offset, SEEK_SET) != 0) {
        return -1;
    }
    const size_t got = fread(buf, 1, size, f);
    return got < size && ferror(f) ? -1 : (int64_t) got;
}

static int64_t file_size(FILE * file) {
    return file_seek(file, 0, SEEK_END) == 0 ? (int64_t) file_tell(file) : -1;
}

static bool ends_with(const std::string & text, const std::string & tail) {
    return text.size() >= tail.size() && text.compare(text.size() - tail.size(), tail.size(), tail) == 0;
}

bundle::~bundle() {
    zip_directory_free(&directory);
    if (file) {
        fclose(file);
    }
}

void bundle::open(const std::string & path) {
    const std::string tip = "download or copy the file again; `llamapack verify` says what is damaged";

    FILE * opened = ggml_fopen(path.c_str(), "rb");
    if (!opened) {
        throw user_error(path + ": cannot be opened", "check that the file is there and may be read");
    }
    const char * error = "";
    zip_directory read{};
    const int64_t size = file_size(opened);
    if (size < 0 || zip_directory_read(&read, file_read_at, opened, (uint64_t) size, &error) != 0) {
        fclose(opened);
        throw user_error(path + ": " + error, tip);
    }
    zip_directory_free(&directory);
    if (file) {
        fclose(file);
    }
    file      = opened;
    directory = read;
    container = path;

    for (size_t i = 0; i < directory.count; i++) {
        const zip_member & member = directory.members[i];
        if (member.method != ZIP_STORED || !ends_with(member.name, ".gguf")) {
            continue;
        }
        uint64_t offset = 0;
        if (zip_data_offset(&directory, &member, &offset, &error) != 0) {
            throw user_error(path + ": " + member.name + ": " + error, tip);
        }
        member_table_add((std::string("/zip/") + member.name).c_str(), container.c_str(), { offset, member.size });
    }
}

bool bundle::is_archive(const std::string & path) {
    FILE * opened = ggml_fopen(path.c_str(), "rb");
    if (!opened) {
        return false;
    }
    const char *  error = "";
    zip_directory read{};
    const int64_t size  = file_size(opened);
    const bool    is    = size > 0 && zip_directory_read(&read, file_read_at, opened, (uint64_t) size, &error) == 0;
    zip_directory_free(&read);
    fclose(opened);
    return is;
}

const zip_member * bundle::find(const std::string & name) const {
    return file ? zip_find(&directory, name.c_str()) : nullptr;
}

bool bundle::has(const std::string & name) const {
    return find(name) != nullptr;
}

std::string bundle::read(const std::string & name) const {
    const zip_member * member = find(name);
    if (!member) {
        throw user_error(container + ": has no member " + name, "`llamapack inspect` lists the members");
    }
    const char * error = "";
    size_t       size  = 0;
    char *       text  = zip_extract_alloc(&directory, member, READ_LIMIT, &size, &error);
    if (!text) {
        throw user_error(container + ": " + name + ": " + error, "download or copy the file again");
    }
    std::string result(text, size);
    free(text);
    return result;
}

std::vector<std::string> bundle::weights() const {
    std::vector<std::string> names;
    std::set<std::string>    seen;
    for (size_t i = 0; file && i < directory.count; i++) {
        const std::string name = directory.members[i].name;
        if (directory.members[i].method == ZIP_STORED && ends_with(name, ".gguf") && seen.insert(name).second) {
            names.push_back(name);
        }
    }
    return names;
}

std::string bundle::alias(const std::string & name) {
    const zip_member * member = find(name);
    const char *       error  = "";
    uint64_t           offset = 0;
    if (!member || member->method != ZIP_STORED || zip_data_offset(&directory, member, &offset, &error) != 0) {
        throw user_error(container + ": " + name + " cannot be read in place",
                         "weights must be stored without compression; pack the file again");
    }
    // dir/file, dir/./file, dir/././file ... are one file with as many names as are needed.
    const size_t slash = container.find_last_of("/\\");
    std::string  path  = slash == std::string::npos ? "./" : container.substr(0, slash + 1);
    aliases++;
    for (int i = 0; i < aliases; i++) {
        path += "./";
    }
    path += slash == std::string::npos ? container : container.substr(slash + 1);
    member_table_add(path.c_str(), container.c_str(), { offset, member->size });
    return path;
}

std::string bundle::materialize(const std::string & name) const {
    return temporary_file_write(read(name));
}
