#include "gpu_module.h"

#include "module_dir.h"
#include "sha256.h"
#include "user_error.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

namespace fs = std::filesystem;

struct module_file {
    std::string name;
    std::string sha256; // 64 hex digits
    uint64_t    size;
};

static std::string hex_of(struct sha256 & hash) {
    uint8_t digest[32];
    char    hex[65];
    sha256_end(&hash, digest);
    sha256_hex(digest, hex);
    return hex;
}

std::string sha256_hex_of(const std::string & data) {
    struct sha256 hash;
    sha256_begin(&hash);
    sha256_add(&hash, data.data(), data.size());
    return hex_of(hash);
}

std::string gpu_cache() {
    return (fs::u8path(module_dir_get()).parent_path().parent_path().parent_path() / "gpu").u8string();
}

void gpu_cache_prepare() {
    const fs::path  cache = fs::u8path(gpu_cache());
    std::error_code error;
    if (fs::create_directory(cache, error)) {
        fs::permissions(cache, fs::perms::owner_all, error);
    }
    const auto too_old = fs::file_time_type::clock::now() - std::chrono::hours(24);
    for (fs::directory_iterator one(cache, error), end; !error && one != end; one.increment(error)) {
        std::error_code ignored;
        const auto      changed = one->last_write_time(ignored);
        if (!ignored && changed < too_old && one->path().filename().u8string().rfind('.', 0) == 0) {
            fs::remove_all(one->path(), ignored);
        }
    }
}

std::string gpu_base_library() {
#if defined(_WIN32)
    return std::string(module_dir_get()) + "ggml-base.lib";
#elif defined(__APPLE__)
    return std::string(module_dir_get()) + "libggml-base.dylib";
#else
    return std::string(module_dir_get()) + "libggml-base.so";
#endif
}

static std::string folder(const std::string & kind) {
    return std::string("gpu/") + LLAMAPACK_TARGET + "/" + kind + "/";
}

bool gpu_module_has(const bundle & from, const std::string & kind) {
    return from.has(folder(kind) + "SHA256SUMS");
}

static std::vector<module_file> files_listed(const bundle & from, const std::string & kind, const std::string & sums) {
    std::vector<module_file> files;
    std::istringstream       lines(sums);
    std::string              line;
    while (std::getline(lines, line)) {
        const std::string name = line.size() > 66 ? line.substr(66) : "";
        if (name.empty() || line.substr(64, 2) != "  " || name.find_first_of("/\\:") != std::string::npos) {
            throw user_error(from.path() + ": " + folder(kind) + "SHA256SUMS has a wrong line", "pack the file again");
        }
        files.push_back({ name, line.substr(0, 64), from.size(folder(kind) + name) });
    }
    return files;
}

// The module itself, among the libraries that it may bring along.
static std::string library_path(const fs::path & place, const std::vector<module_file> & files, const std::string & kind) {
    for (const module_file & file : files) {
        if (file.name.find("ggml-" + kind) != std::string::npos) {
            return (place / fs::u8path(file.name)).u8string();
        }
    }
    throw user_error("the GPU module " + kind + " of this file has no library", "pack the file again");
}

// When the contents of a file last changed, as nobody sets it back. "" if it is not the regular file of
// `size` bytes that was installed: this user's, readable, and writable by nobody else.
static std::string last_change(const fs::path & path, uint64_t size) {
    std::error_code error;
    if (!fs::is_regular_file(fs::symlink_status(path, error)) || fs::file_size(path, error) != size || error) {
        return "";
    }
#ifdef _WIN32
    return std::to_string((long long) fs::last_write_time(path, error).time_since_epoch().count());
#else
    struct stat info;
    if (lstat(path.c_str(), &info) != 0 || info.st_uid != geteuid() || !(info.st_mode & S_IRUSR) || (info.st_mode & (S_IWGRP | S_IWOTH))) {
        return "";
    }
#ifdef __APPLE__
    const struct timespec & changed = info.st_ctimespec;
#else
    const struct timespec & changed = info.st_ctim;
#endif
    return std::to_string(changed.tv_sec) + "." + std::to_string(changed.tv_nsec);
#endif
}

// "" unless all files seem to be there; else a text that another change of any of them would change.
static std::string state_of(const fs::path & place, const std::vector<module_file> & files) {
    std::error_code error;
    std::string     state;
    if (!fs::is_directory(fs::symlink_status(place, error))) {
        return "";
    }
    for (const module_file & file : files) {
        const std::string changed = last_change(place / fs::u8path(file.name), file.size);
        if (changed.empty()) {
            return "";
        }
        state += changed + " ";
    }
    return state;
}

static bool have_hashes(const fs::path & place, const std::vector<module_file> & files) {
    std::vector<char> buffer(1 << 20);
    for (const module_file & file : files) {
        std::ifstream in(place / fs::u8path(file.name), std::ios::binary);
        struct sha256 hash;
        sha256_begin(&hash);
        while (in.read(buffer.data(), (std::streamsize) buffer.size()), in.gcount() > 0) {
            sha256_add(&hash, buffer.data(), (size_t) in.gcount());
        }
        if (in.bad() || hex_of(hash) != file.sha256) {
            return false;
        }
    }
    return true;
}

// Where the state is kept in which the hashes of the files were right.
static fs::path checked_path(const fs::path & place) {
    return fs::u8path(place.u8string() + ".checked");
}

static void set_checked(const fs::path & place, const std::vector<module_file> & files) {
    std::ofstream(checked_path(place)) << state_of(place, files) << "\n";
}

// Whether the files are as they were installed. Their hashes are compared only if a file was changed, or
// merely touched, since they last were.
static bool is_complete(const fs::path & place, const std::vector<module_file> & files) {
    const std::string state = state_of(place, files);
    std::string       known;
    std::ifstream     checked(checked_path(place));
    if (state.empty()) {
        return false;
    }
    if (std::getline(checked, known) && known == state) {
        return true;
    }
    if (!have_hashes(place, files)) {
        return false;
    }
    set_checked(place, files);
    return true;
}

// What was written, or renamed in a folder, outlives a loss of power where the system can see to that.
static void sync_to_disk(const fs::path & path) {
#ifdef _WIN32
    const int file = _wopen(path.c_str(), _O_RDWR | _O_BINARY); // no folder: NTFS keeps them in a journal
    if (file >= 0) {
        _commit(file);
        _close(file);
    }
#else
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        fsync(file);
        close(file);
    }
#endif
}

static void write_files(const bundle & from, const fs::path & place, const std::vector<module_file> & files, const std::string & kind) {
    for (const module_file & file : files) {
        const std::string member = folder(kind) + file.name;
        struct output {
            std::ofstream stream;
            struct sha256 hash;
        } out = { std::ofstream(place / fs::u8path(file.name), std::ios::binary), {} };
        sha256_begin(&out.hash);
        from.extract(member, [](void * sink, const void * data, size_t size) {
            output * to = (output *) sink;
            sha256_add(&to->hash, data, size);
            to->stream.write((const char *) data, (std::streamsize) size);
            return to->stream.good() ? 0 : -1;
        }, &out);
        out.stream.close();
        std::error_code ignored; // a file system without rights
        fs::permissions(place / fs::u8path(file.name), fs::perms::owner_read | fs::perms::owner_write, ignored);
        sync_to_disk(place / fs::u8path(file.name));
        if (file.sha256 != hex_of(out.hash)) {
            throw user_error(from.path() + ": " + member + " is damaged", "download or copy the file again");
        }
        if (!out.stream) {
            throw user_error((place / fs::u8path(file.name)).u8string() + ": cannot be written",
                             "free some space, or set LLAMAPACK_CACHE to a folder on another disk");
        }
    }
}

static fs::path place_of(const std::string & kind, const std::string & sums) {
    return fs::u8path(gpu_cache()) / (std::string(LLAMAPACK_TARGET) + "-" + kind + "-" + sha256_hex_of(sums).substr(0, 32));
}

std::string gpu_module_install(const bundle & from, const std::string & kind) {
    const std::string sums  = from.read(folder(kind) + "SHA256SUMS");
    const auto        files = files_listed(from, kind, sums);
    const fs::path    place = place_of(kind, sums);
    const fs::path    cache = place.parent_path();
    if (is_complete(place, files)) {
        return library_path(place, files, kind);
    }
    gpu_cache_prepare();
    std::error_code   error;
    const std::string name      = "." + std::to_string(std::random_device()());
    const fs::path    temporary = cache / (name + ".unfinished");
    if (!fs::create_directory(temporary, error)) {
        throw user_error(cache.u8string() + ": cannot be written, so no GPU module can be unpacked",
                         "set LLAMAPACK_CACHE to a folder that can, or say --gpu disable");
    }
    try {
        write_files(from, temporary, files, kind);
    } catch (...) {
        fs::remove_all(temporary, error);
        throw;
    }
    sync_to_disk(temporary);
    const fs::path trash = cache / (name + ".old");
    fs::rename(temporary, place, error);
    if (error && !is_complete(place, files)) { // damaged, or no folder
        fs::rename(place, trash, error);
        fs::rename(temporary, place, error);
    }
    if (!error) {
        set_checked(place, files);
        sync_to_disk(cache);
    }
    std::error_code ignored;
    fs::remove_all(trash, ignored);
    fs::remove_all(temporary, ignored); // another start was faster
    if (error && !is_complete(place, files)) {
        throw user_error(place.u8string() + ": is damaged and cannot be replaced: " + error.message(),
                         "remove it, or say --gpu disable");
    }
    return library_path(place, files, kind);
}

bool gpu_module_mend(const bundle & from, const std::string & kind) {
    const std::string sums  = from.read(folder(kind) + "SHA256SUMS");
    const auto        files = files_listed(from, kind, sums);
    const fs::path    place = place_of(kind, sums);
    std::error_code   error;
    if (have_hashes(place, files)) {
        return false;
    }
    fs::remove(checked_path(place), error);
    gpu_module_install(from, kind);
    return true;
}
