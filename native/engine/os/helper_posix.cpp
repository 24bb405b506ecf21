#ifndef _WIN32

#include "helper.h"

#include "browser.h"
#include "server_address.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static constexpr uint32_t NAME_MAX_ = 4096, TEXT_MAX_ = 1u << 30; // bytes
static constexpr uint32_t BROWSE    = UINT32_MAX;                 // in place of the length of a name

static int  line      = -1; // to the other process
static bool has_files = false;

static bool take(void * data, size_t size) {
    for (size_t done = 0; done < size;) {
        const ssize_t n = read(line, (char *) data + done, size - done);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        done += n > 0 ? (size_t) n : 0;
    }
    return true;
}

static bool give(int fd, const void * data, size_t size) {
    for (size_t done = 0; done < size;) {
        const ssize_t n = write(fd, (const char *) data + done, size - done);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        done += n > 0 ? (size_t) n : 0;
    }
    return true;
}

static int file_make(const std::string & path, const std::string & text) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0) {
        return errno;
    }
    const bool is_whole = give(file, text.data(), text.size());
    const int  error    = is_whole ? 0 : errno;
    return close(file) != 0 && is_whole ? errno : error;
}

// Whoever asks may be somebody else by now: only what is below this folder, and visible.
static bool is_allowed(const std::string & path) {
    return !path.empty() && path[0] != '/' && path[0] != '.' && path.find("/.") == std::string::npos && path.find('\0') == std::string::npos;
}

static bool is_alone() {
    pollfd end = { line, 0, 0 };
    return poll(&end, 1, 0) > 0 && (end.revents & POLLHUP);
}

static void serve(const std::string & url) {
    uint32_t sizes[2];
    while (take(sizes, sizeof(sizes))) {
        if (sizes[0] == BROWSE) {
            if (server_wait(url, is_alone)) {
                browser_open(url);
            }
            continue;
        }
        if (sizes[0] > NAME_MAX_ || sizes[1] > TEXT_MAX_) {
            return;
        }
        std::string path(sizes[0], '\0'), text(sizes[1], '\0');
        if (!take(&path[0], path.size()) || !take(&text[0], text.size())) {
            return;
        }
        const int error = is_allowed(path) ? file_make(path, text) : EACCES;
        give(line, &error, sizeof(error));
    }
}

void helper_start(const std::string &, const std::string & url, bool writes) {
    int ends[2];
    has_files = writes;
    if (line >= 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        return;
    }
    const pid_t child = fork();
    if (child == 0) {
        rlimit limit = { 1024, 1024 };
        getrlimit(RLIMIT_NOFILE, &limit);
        const int nothing = open("/dev/null", O_RDWR);
        line              = dup2(ends[1], 3);
        for (int fd = 0; fd < 3; fd++) {
            dup2(nothing, fd);
        }
        for (int fd = 4; fd < (int) std::min<rlim_t>(limit.rlim_cur, 4096); fd++) {
            close(fd); // the server's socket above all: it outlives the server otherwise
        }
        fcntl(line, F_SETFD, FD_CLOEXEC);
        signal(SIGINT, SIG_IGN); // meant for the chat
        signal(SIGPIPE, SIG_IGN);
        serve(url);
        _exit(0);
    }
    close(ends[1]);
    line = ends[0];
    fcntl(line, F_SETFD, FD_CLOEXEC);
    if (child < 0) {
        close(line);
        line = -1;
    }
}

void helper_browse() {
    const uint32_t sizes[2] = { BROWSE, 0 };
    if (line >= 0) {
        give(line, sizes, sizeof(sizes));
    }
}

std::string helper_write(const std::string & path, const std::string & text) {
    int            error    = EIO;
    const uint32_t sizes[2] = { (uint32_t) path.size(), (uint32_t) text.size() };
    if (line < 0 || !has_files) {
        error = file_make(path, text);
    } else if (give(line, sizes, sizeof(sizes)) && give(line, path.data(), path.size()) && give(line, text.data(), text.size())) {
        take(&error, sizeof(error));
        if (error == EACCES && !is_allowed(path)) {
            return "the sandbox writes below the folder of the start only, and no hidden files; --sandbox off writes anywhere";
        }
    }
    return error == 0 ? "" : std::system_category().message(error);
}

bool helper_answer() {
    return false;
}

#endif
