#include "program_path.h"

#include <cstdint>
#include <cstdlib>

#ifdef _WIN32
#    define WIN32_LEAN_AND_MEAN
#    define NOMINMAX
#    include <windows.h>
#    include <io.h>
#    include <shellapi.h>
#else
#    include <fcntl.h>
#    include <sys/stat.h>
#    include <unistd.h>
#    ifdef __APPLE__
#        include <mach-o/dyld.h>
#    endif
#    if defined(__FreeBSD__) || defined(__NetBSD__)
#        include <sys/types.h>
#        include <sys/sysctl.h>
#    endif
#endif

static std::string folder_of(const std::string & path) {
    const size_t slash = path.find_last_of("/\\");
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

#ifdef _WIN32

static std::string to_utf8(const wchar_t * text) {
    const int   size = WideCharToMultiByte(CP_UTF8, 0, text, -1, nullptr, 0, nullptr, nullptr);
    std::string result((size_t) size, '\0');
    WideCharToMultiByte(CP_UTF8, 0, text, -1, &result[0], size, nullptr, nullptr);
    result.resize((size_t) size - 1);
    return result;
}

std::string program_dir() {
    std::vector<wchar_t> path(32768);
    GetModuleFileNameW(nullptr, path.data(), (DWORD) path.size());
    return folder_of(to_utf8(path.data()));
}

std::vector<std::string> program_arguments(int, char **) {
    int        count = 0;
    wchar_t ** wide  = CommandLineToArgvW(GetCommandLineW(), &count);

    std::vector<std::string> words;
    for (int i = 1; i < count; i++) {
        words.push_back(to_utf8(wide[i]));
    }
    LocalFree(wide);
    return words;
}

void standard_streams_open() {} // the C library does

bool terminal_absent() {
    DWORD processes[2];
    // Alone in its console: started by a double click.
    return GetConsoleProcessList(processes, 2) <= 1 && _isatty(0);
}

void environment_remove(const char * name) {
    _putenv_s(name, "");
}

#else

std::string program_dir() {
    char path[4096];
#    if defined(__APPLE__)
    uint32_t size = sizeof(path);
    if (_NSGetExecutablePath(path, &size) != 0) {
        return "";
    }
#    elif defined(__FreeBSD__) || defined(__NetBSD__)
#        ifdef __FreeBSD__
    int    query[] = { CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1 };
#        else
    int    query[] = { CTL_KERN, KERN_PROC_ARGS, -1, KERN_PROC_PATHNAME };
#        endif
    size_t size    = sizeof(path);
    if (sysctl(query, 4, path, &size, nullptr, 0) != 0) {
        return "";
    }
#    else
    const ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (size <= 0) {
        return "";
    }
    path[size] = 0;
#    endif
    return folder_of(path);
}

std::vector<std::string> program_arguments(int argc, char ** argv) {
    return std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc);
}

void standard_streams_open() {
    for (int fd = open("/dev/null", O_RDWR); fd >= 0; fd = open("/dev/null", O_RDWR)) {
        if (fd > 2) {
            close(fd);
            return;
        }
    }
}

bool terminal_absent() {
    struct stat in;
    if (isatty(0) || isatty(1)) {
        return false;
    }
    return fstat(0, &in) != 0 || !(S_ISFIFO(in.st_mode) || S_ISREG(in.st_mode));
}

void environment_remove(const char * name) {
    unsetenv(name);
}

#endif
