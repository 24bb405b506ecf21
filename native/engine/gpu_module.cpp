#include "gpu_module.h"

#include "module_dir.h"
#include "sha256.h"
#include "user_error.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace fs = std::filesystem;

struct module_file {
    std::string name;
    std::string sha256; // 64 hex digits
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
        files.push_back({ name, line.substr(0, 64) });
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

static bool is_complete(const bundle & from, const fs::path & place, const std::vector<module_file> & files, const std::string & kind) {
    for (const module_file & file : files) {
        std::error_code error;
        if (fs::file_size(place / fs::u8path(file.name), error) != from.size(folder(kind) + file.name) || error) {
            return false;
        }
    }
    return true;
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
        if (file.sha256 != hex_of(out.hash)) {
            throw user_error(from.path() + ": " + member + " is damaged", "download or copy the file again");
        }
        if (!out.stream) {
            throw user_error((place / fs::u8path(file.name)).u8string() + ": cannot be written",
                             "free some space, or set LLAMAPACK_CACHE to a folder on another disk");
        }
    }
}

std::string gpu_module_install(const bundle & from, const std::string & kind) {
    const std::string sums  = from.read(folder(kind) + "SHA256SUMS");
    const auto        files = files_listed(from, kind, sums);

    const fs::path cache = fs::u8path(gpu_cache());
    const fs::path place = cache / (std::string(LLAMAPACK_TARGET) + "-" + kind + "-" + sha256_hex_of(sums).substr(0, 32));
    if (is_complete(from, place, files, kind)) {
        return library_path(place, files, kind);
    }
    gpu_cache_prepare();
    std::error_code error;
    const fs::path  temporary = cache / ("." + std::to_string(std::random_device()()) + ".unfinished");
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
    fs::rename(temporary, place, error);
    if (error) { // another start was faster, or what lies there is damaged
        if (!is_complete(from, place, files, kind)) {
            fs::remove_all(place, error);
            fs::rename(temporary, place, error);
        }
        std::error_code ignored;
        fs::remove_all(temporary, ignored);
    }
    return library_path(place, files, kind);
}
