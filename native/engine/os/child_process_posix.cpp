#ifndef _WIN32

#include "child_process.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

using steady = std::chrono::steady_clock;

static void child_become(const std::string & program, int output) {
    const int nothing = open("/dev/null", O_RDWR);
    dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(nothing, STDERR_FILENO);
    execl(program.c_str(), program.c_str(), (char *) nullptr);
    _exit(127);
}

// Reads until the other end is closed. Returns false if that takes too long.
static bool read_all(int fd, int seconds, std::string & text) {
    const auto deadline = steady::now() + std::chrono::seconds(seconds);
    char       buf[4096];
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady::now()).count();
        pollfd     wait = { fd, POLLIN, 0 };
        if (left <= 0) {
            return false;
        }
        if (poll(&wait, 1, (int) left) <= 0) {
            continue;
        }
        const ssize_t got = read(fd, buf, sizeof(buf));
        if (got == 0) {
            return true;
        }
        if (got > 0) {
            text.append(buf, (size_t) got);
        } else if (errno != EINTR) {
            return true;
        }
    }
}

child_end child_run(const std::string & program, const std::string & name, const std::string & value, int seconds) {
    child_end end;
    int       fds[2];
    if (pipe(fds) != 0) {
        end.failure = std::string("it could not be started: ") + strerror(errno);
        return end;
    }
    setenv(name.c_str(), value.c_str(), 1);
    const pid_t child = fork();
    if (child == 0) {
        close(fds[0]);
        child_become(program, fds[1]);
    }
    unsetenv(name.c_str());
    close(fds[1]);
    const bool in_time = child > 0 && read_all(fds[0], seconds, end.output);
    close(fds[0]);
    if (child < 0) {
        end.failure = std::string("it could not be started: ") + strerror(errno);
        return end;
    }
    if (!in_time) {
        kill(child, SIGKILL);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!in_time) {
        end.failure = "it took more than " + std::to_string(seconds) + " seconds";
    } else if (WIFSIGNALED(status)) {
        end.failure = "it crashed (signal " + std::to_string(WTERMSIG(status)) + ")";
    } else if (WEXITSTATUS(status) != 0) {
        end.failure = "it ended with status " + std::to_string(WEXITSTATUS(status));
    }
    return end;
}

#endif
