#ifndef _WIN32

#include "program_path.h"

#include <climits>
#include <cstdint>
#include <cstdlib>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__APPLE__)
#    include <mach-o/dyld.h>
#elif defined(__linux__)
#    include <sys/auxv.h>
#elif defined(__FreeBSD__) || defined(__NetBSD__)
#    include <sys/types.h>
#    include <sys/sysctl.h>
#endif

// What the system says this program's file is, or "".
static std::string program_file_of_system() {
    char path[PATH_MAX] = "";
#if defined(__APPLE__)
    uint32_t size = sizeof(path);
    return _NSGetExecutablePath(path, &size) == 0 ? path : "";
#elif defined(__linux__)
    const ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (size > 0) {
        return std::string(path, (size_t) size);
    }
    const char * started = (const char *) getauxval(AT_EXECFN); // without /proc
    return started ? started : "";
#elif defined(__FreeBSD__) || defined(__NetBSD__)
#    ifdef __FreeBSD__
    const int query[] = { CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1 };
#    else
    const int query[] = { CTL_KERN, KERN_PROC_ARGS, -1, KERN_PROC_PATHNAME };
#    endif
    size_t size = sizeof(path);
    return sysctl(query, 4, path, &size, nullptr, 0) == 0 ? path : "";
#else
    return path; // OpenBSD tells nobody; there the stub's argv[0] is the path
#endif
}

std::string program_file(int argc, char ** argv) {
    const std::string named = program_file_of_system();
    const std::string path  = named.empty() && argc > 0 ? argv[0] : named;

    char * absolute = realpath(path.c_str(), nullptr);
    if (!absolute) {
        return path;
    }
    const std::string result = absolute;
    free(absolute);
    return result;
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

std::string environment_get(const char * name) {
    const char * value = std::getenv(name);
    return value ? value : "";
}

void environment_set(const char * name, const std::string & value) {
    setenv(name, value.c_str(), 1);
}

void environment_remove(const char * name) {
    unsetenv(name);
}

#endif
