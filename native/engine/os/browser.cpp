#include "browser.h"

#include <cstdlib>

#ifdef _WIN32
#    include <windows.h>
#    include <shellapi.h>

bool browser_available() {
    return true;
}

void browser_open(const std::string & url) {
    ShellExecuteA(nullptr, "open", url.c_str(), nullptr, nullptr, SW_SHOWNORMAL);
}

#else
#    include <fcntl.h>
#    include <sys/wait.h>
#    include <unistd.h>

static bool is_set(const char * name) {
    const char * value = std::getenv(name);
    return value && *value;
}

bool browser_available() {
#    ifdef __APPLE__
    return !is_set("SSH_CONNECTION");
#    else
    return is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
#    endif
}

void browser_open(const std::string & url) {
    const pid_t child = fork();
    if (child == 0) {
        if (fork() != 0) { // the grandchild is init's to reap
            _exit(0);
        }
        const int nowhere = open("/dev/null", O_RDWR);
        for (int fd = 0; fd < 3 && nowhere >= 0; fd++) {
            dup2(nowhere, fd);
        }
#    ifdef __APPLE__
        execlp("open", "open", url.c_str(), (char *) nullptr);
#    else
        execlp("xdg-open", "xdg-open", url.c_str(), (char *) nullptr);
#    endif
        _exit(127);
    }
    if (child > 0) {
        int status = 0;
        waitpid(child, &status, 0);
    }
}

#endif
