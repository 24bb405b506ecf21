// What this program is, and where it may have come from.
#include "../os.h"

#include "../text.h"

#include <string.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <mach-o/dyld.h>
#include <sys/sysctl.h>
#elif defined(__FreeBSD__) || defined(__NetBSD__)
#include <sys/param.h>
#include <sys/sysctl.h>
#endif

const char * os_machine(void) {
#if defined(__aarch64__)
    return "aarch64";
#elif defined(__x86_64__)
#ifdef __APPLE__
    // A shell under Rosetta says x86_64 of a machine that can do better.
    int    translated = 0;
    size_t size       = sizeof(translated);
    if (sysctlbyname("sysctl.proc_translated", &translated, &size, NULL, 0) == 0 && translated == 1) {
        return "aarch64";
    }
#endif
    return "x86_64";
#else
#error "name the machine"
#endif
}

const char * os_typed_name(int argc, char ** argv) {
    return argc > 0 ? argv[0] : NULL;
}

// What the system itself says about the file that runs; OpenBSD says nothing.
static const char * running_file(char buffer[PATH_SIZE]) {
#if defined(__linux__)
    return text_format(buffer, PATH_SIZE, "/proc/self/exe") ? buffer : NULL;
#elif defined(__APPLE__)
    uint32_t size = PATH_SIZE;
    return _NSGetExecutablePath(buffer, &size) == 0 ? buffer : NULL;
#elif defined(__FreeBSD__) || defined(__NetBSD__)
#ifdef __FreeBSD__
    int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1};
#else
    int name[] = {CTL_KERN, KERN_PROC_ARGS, -1, KERN_PROC_PATHNAME};
#endif
    size_t size = PATH_SIZE;
    return sysctl(name, 4, buffer, &size, NULL, 0) == 0 ? buffer : NULL;
#else
    (void) buffer;
    return NULL;
#endif
}

// What the kernel was asked to execute, where it tells.
static const char * executed_name(void) {
#ifdef __linux__
    return (const char *) getauxval(AT_EXECFN);
#else
    return NULL;
#endif
}

// Looks for argv[0] the way the shell that started us did.
static const char * search_path(const char * argv0, char found[PATH_SIZE]) {
    char         dir[PATH_SIZE];
    const char * dirs;
    if (!argv0 || strchr(argv0, '/') || !(dirs = os_getenv("PATH"))) {
        return argv0;
    }
    for (;; dirs++) {
        size_t length = strcspn(dirs, ":");
        if (length < sizeof(dir)) {
            memcpy(dir, dirs, length);
            dir[length] = 0;
            if (text_format(found, PATH_SIZE, "%s/%s", length ? dir : ".", argv0) && access(found, R_OK) == 0) {
                return found;
            }
        }
        dirs += length;
        if (!*dirs) {
            return NULL;
        }
    }
}

const char * os_self_path(size_t index, const char * argv0, char buffer[PATH_SIZE]) {
    switch (index) {
        case 0: {
            const char * running = running_file(buffer);
            return running ? running : "";
        }
        case 1: {
            const char * found = search_path(argv0, buffer);
            return found ? found : "";
        }
        case 2: return executed_name();
        default: return NULL;
    }
}
