#include "temporary_file.h"

#include "user_error.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <random>
#include <system_error>
#include <vector>

#ifdef __linux__
#    include <sys/syscall.h>
#    include <unistd.h>
#endif
#ifndef _WIN32
#    include <fcntl.h>
#    include <unistd.h>
#endif

namespace fs = std::filesystem;

static std::mutex              files_mutex;
static std::vector<fs::path> & files() {
    static std::vector<fs::path> paths;
    return paths;
}

#ifdef __linux__
// A file in memory: nothing to remove, nothing left behind by a crash. Needs /proc for its path.
static std::string memory_file_write(const std::string & contents) {
    const int fd = (int) syscall(SYS_memfd_create, "llamapack", 1u /* MFD_CLOEXEC */);
    if (fd < 0) {
        return "";
    }
    size_t done = 0;
    while (done < contents.size()) {
        const ssize_t n = write(fd, contents.data() + done, contents.size() - done);
        if (n <= 0) {
            close(fd);
            return "";
        }
        done += (size_t) n;
    }
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    if (access(path.c_str(), R_OK) != 0) {
        close(fd);
        return "";
    }
    return path;
}
#endif

FILE * file_create_private(const std::string & path) {
#ifdef _WIN32
    return _wfopen(fs::u8path(path).c_str(), L"wbx");
#else
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? nullptr : fdopen(fd, "wb");
#endif
}

std::string temporary_file_write(const std::string & contents) {
#ifdef __linux__
    const std::string memory = memory_file_write(contents);
    if (!memory.empty()) {
        return memory;
    }
#endif
    std::error_code    error;
    const fs::path     folder = fs::temp_directory_path(error);
    std::random_device random;
    for (int attempt = 0; attempt < 16 && !error; attempt++) {
        const fs::path path = folder / ("llamapack-" + std::to_string(random()) + std::to_string(random()));
        FILE *         file = file_create_private(path.u8string());
        if (!file) {
            continue;
        }
        const bool written = fwrite(contents.data(), 1, contents.size(), file) == contents.size();
        if (fclose(file) != 0 || !written) {
            fs::remove(path, error);
            break;
        }
        std::lock_guard<std::mutex> lock(files_mutex);
        if (files().empty()) {
            std::atexit(temporary_files_remove);
        }
        files().push_back(path);
        return path.u8string();
    }
    throw user_error("no temporary file can be written", "set TMPDIR to a folder that can be written to");
}

std::vector<std::string> temporary_files() {
    std::lock_guard<std::mutex> lock(files_mutex);
    std::vector<std::string>    paths;
    for (const auto & path : files()) {
        paths.push_back(path.u8string());
    }
    return paths;
}

void temporary_files_remove() {
    std::lock_guard<std::mutex> lock(files_mutex);
    for (const auto & path : files()) {
        std::error_code error;
        fs::remove(path, error);
    }
    files().clear();
}
