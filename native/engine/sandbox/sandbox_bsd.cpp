// OpenBSD: unveil holds files, pledge the rest. FreeBSD: neither new rights nor debuggers nor processes; its
// capability mode opens no file by name, which llama.cpp does until the end. NetBSD has nothing.
#if defined(__OpenBSD__) || defined(__FreeBSD__) || defined(__NetBSD__)

#include "sandbox.h"

#include "program_path.h"
#include "temporary_file.h"

#include <sys/types.h>

#include <unistd.h>

#if defined(__OpenBSD__)

sandbox_held sandbox_close(const sandbox_policy & policy) {
    if (!policy.anything) {
        for (const char * path : { "/usr/lib", "/usr/share", "/usr/libexec/ld.so", "/etc/localtime", "/etc/hosts", "/etc/resolv.conf", "/dev/urandom" }) {
            unveil(path, "r");
        }
        unveil("/dev/null", "rw");
        for (const std::string & path : policy.reads) {
            unveil(path.c_str(), "r");
        }
        for (const std::string & path : policy.executes) {
            unveil(path.c_str(), "rx");
        }
        std::vector<std::string> written = temporary_files();
        for (const auto * list : { &policy.writes, &policy.writes_in }) {
            written.insert(written.end(), list->begin(), list->end());
        }
        for (const std::string & path : written) {
            unveil(path.c_str(), "rwc");
        }
        unveil(nullptr, nullptr);
    }
    // "error": what is not promised fails; a kill would be of no use to anybody.
    std::string promises = "stdio error rpath inet tty wpath cpath";
    promises += policy.connects || policy.anything ? " dns" : "";
    promises += policy.children || policy.anything ? " proc exec" : "";
    promises += policy.anything ? " fattr flock unix" : "";
    if (pledge(promises.c_str(), nullptr) != 0) {
        return { "", "files, programs and connections" };
    }
    const bool is_open = !policy.connects && !policy.anything; // "inet" has no ports
    return { "pledge, unveil", is_open ? "connections" : "" };
}

#elif defined(__FreeBSD__)

#    include <sys/procctl.h>
#    include <sys/resource.h>

sandbox_held sandbox_close(const sandbox_policy & policy) {
#    ifdef PROC_NO_NEW_PRIVS_CTL
    int no_rights = PROC_NO_NEW_PRIVS_ENABLE;
    procctl(P_PID, getpid(), PROC_NO_NEW_PRIVS_CTL, &no_rights);
#    endif
    int no_trace = PROC_TRACE_CTL_DISABLE_EXEC;
    procctl(P_PID, getpid(), PROC_TRACE_CTL, &no_trace);
    if (!policy.children && !policy.anything) {
        const rlimit none = { 0, 0 }; // of processes; threads do not count
        setrlimit(RLIMIT_NPROC, &none);
    }
    return { "no new rights, debuggers or processes", "files and connections" };
}

#else

sandbox_held sandbox_close(const sandbox_policy &) {
    return { "", "anything: NetBSD has no sandbox for programs" };
}

#endif
#endif
