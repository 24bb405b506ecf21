// Seatbelt. What the system itself needs for Metal differs from release to release, so the profile allows
// by default and closes what is the user's.
#ifdef __APPLE__

#include "sandbox.h"

#include "program_path.h"
#include "temporary_file.h"

#include <cstdlib>

#include <limits.h>
#include <unistd.h>

// Deprecated in name, and what browsers are built on; no header has it with parameters.
extern "C" int  sandbox_init(const char * profile, uint64_t flags, char ** error);
extern "C" void sandbox_free_error(char * error);

static std::string quoted(const std::string & path) {
    char              real[PATH_MAX];
    const std::string plain = realpath(path.c_str(), real) ? real : path; // /var is a link
    std::string       text  = "\"";
    for (const char c : plain) {
        text += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    }
    return text + "\"";
}

static std::string rule(const std::string & what, const std::vector<std::string> & paths) {
    std::string text;
    for (const std::string & path : paths) {
        if (!path.empty()) {
            text += " (subpath " + quoted(path) + ")"; // a file, too
        }
    }
    return text.empty() ? "" : "(allow " + what + text + ")\n";
}

static std::string system_folder(int name) {
    char path[PATH_MAX];
    return confstr(name, path, sizeof(path)) > 0 ? path : "";
}

sandbox_held sandbox_close(const sandbox_policy & policy) {
    std::string profile = "(version 1)\n(allow default)\n(deny process-info* (target others))\n(deny signal (target others))\n";
    if (policy.children || policy.anything) {
        profile += "(allow signal (target children))\n";
    }
    if (!policy.anything) {
        profile += "(deny file-write*)\n(allow file-write* (literal \"/dev/null\") (regex #\"^/dev/tty\"))\n";
        profile += "(deny file-read-data (subpath \"/Users\") (subpath \"/Volumes\") (subpath \"/private/var/root\") (subpath " + quoted(environment_get("HOME")) + "))\n";
        profile += rule("file-read*", policy.reads) + rule("file-read*", policy.executes) + rule("file-read* file-write*", policy.writes) +
                   rule("file-read* file-write*", policy.writes_in) + rule("file-read* file-write*", temporary_files());
        if (policy.gpu) { // compiled shaders
            profile += rule("file-read* file-write*", { system_folder(_CS_DARWIN_USER_CACHE_DIR), system_folder(_CS_DARWIN_USER_TEMP_DIR) });
        }
        if (!policy.connects) {
            profile += "(deny network-outbound)\n";
        }
        for (const int port : policy.ports) {
            profile += "(allow network-outbound (remote ip \"*:" + std::to_string(port) + "\"))\n";
        }
        if (!policy.binds) {
            profile += "(deny network-bind)\n";
        }
        profile += "(deny process-exec*)\n" + rule("process-exec*", policy.executes);
        if (!policy.children) {
            profile += "(deny process-fork)\n";
        }
    }
    char * error = nullptr;
    if (sandbox_init(profile.c_str(), 0, &error) != 0) {
        sandbox_free_error(error);
        return { "", "files, programs and connections (the profile was refused)" };
    }
    return { "Seatbelt", "" };
}

#endif
