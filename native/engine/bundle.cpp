#include "bundle.h"

#include "member_table.h"
#include "temporary_file.h"
#include "user_error.h"

#include <algorithm>
#include <cstdlib>
#include <set>

static constexpr size_t   READ_LIMIT     = 64u << 20;
static constexpr uint64_t GGUF_ALIGNMENT = 32; // GGUF's default general.alignment, which its writers keep

// Whether a member's bytes lie in the file as they are.
static bool is_plain(const zip_member & member) {
    return member.method == ZIP_STORED && (member.flags & 1) == 0;
}

static bool ends_with(const std::string & text, const std::string & tail) {
    return text.size() >= tail.size() && text.compare(text.size() - tail.size(), tail.size(), tail) == 0;
}

static const char * const DAMAGED_TIP = "download or copy the file again; `llamapack verify` says what is damaged";

void bundle::open(const std::string & path) {
    if (const char * error = file.open(path)) {
        throw user_error(path + ": " + error, DAMAGED_TIP);
    }
    container = path;

    for (size_t i = 0; i < file.directory().count; i++) {
        const zip_member & member = file.directory().members[i];
        if (is_plain(member) && ends_with(member.name, ".gguf")) {
            member_table_add((std::string("/zip/") + member.name).c_str(), container.c_str(), { offset(member), member.size });
        }
    }
}

bool bundle::is_archive(const std::string & path) {
    return archive().open(path) == nullptr;
}

bool bundle::has(const std::string & name) const {
    return file.find(name) != nullptr;
}

bool bundle::is_trusted(const std::string & name) const {
    return !brought || (brought->is_open() && brought->has(name) && has(name) && brought->read(name) == read(name));
}

uint64_t bundle::size(const std::string & name) const {
    const zip_member * member = file.find(name);
    return member ? member->size : 0;
}

const zip_member & bundle::member(const std::string & name) const {
    const zip_member * found = file.find(name);
    if (!found) {
        throw user_error(container + ": has no member " + name, "`llamapack inspect` lists the members");
    }
    return *found;
}

uint64_t bundle::offset(const zip_member & member) const {
    uint64_t     offset = 0;
    const char * error  = "";
    if (zip_data_offset(&file.directory(), &member, &offset, &error) != 0) {
        throw user_error(container + ": " + member.name + ": " + error, DAMAGED_TIP);
    }
    return offset;
}

void bundle::extract(const std::string & name, zip_sink write, void * sink) const {
    const char * error = "";
    if (zip_extract(&file.directory(), &member(name), write, sink, &error) != 0) {
        throw user_error(container + ": " + name + ": " + error,
                         "download or copy the file again, and see that there is space for the cache");
    }
}

std::string bundle::read(const std::string & name) const {
    const char * error = "";
    size_t       size  = 0;
    char *       text  = zip_extract_alloc(&file.directory(), &member(name), READ_LIMIT, &size, &error);
    if (!text) {
        throw user_error(container + ": " + name + ": " + error, "download or copy the file again");
    }
    std::string result(text, size);
    free(text);
    return result;
}

std::vector<std::string> bundle::names(const std::string & prefix) const {
    std::set<std::string> found;
    for (size_t i = 0; i < file.directory().count; i++) {
        const std::string name = file.directory().members[i].name;
        if (name.rfind(prefix, 0) == 0 && name.back() != '/') {
            found.insert(name);
        }
    }
    return { found.begin(), found.end() };
}

std::vector<std::string> bundle::weights() const {
    std::vector<std::string> names;
    std::set<std::string>    seen;
    for (size_t i = 0; i < file.directory().count; i++) {
        const std::string name = file.directory().members[i].name;
        if (is_plain(file.directory().members[i]) && ends_with(name, ".gguf") && seen.insert(name).second) {
            names.push_back(name);
        }
    }
    return names;
}

void bundle::check_place(const std::string & name) const {
    const zip_member * member = file.find(name);
    if (member && !is_plain(*member)) {
        throw user_error(container + ": " + name + " was compressed by some tool, and weights are read in place",
                         "`llamapack upgrade` stores it again; or download the file again");
    }
    if (member && offset(*member) % GGUF_ALIGNMENT != 0) {
        throw user_error(container + ": " + name + " was moved by some tool to where it cannot be read",
                         "`llamapack upgrade` moves it back; or download the file again");
    }
}

std::string bundle::alias(const std::string & name) {
    const zip_member * member = file.find(name);
    if (!member || !is_plain(*member)) {
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
    member_table_add(path.c_str(), container.c_str(), { offset(*member), member->size });
    return path;
}

std::string bundle::materialize(const std::string & name) const {
    return temporary_file_write(read(name));
}
