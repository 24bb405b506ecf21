#ifndef _WIN32

#include "compiler_run.h"

#include "program_path.h"
#include "user_error.h"

#include <cerrno>
#include <fcntl.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

std::string compiler_find(const std::string & name, const std::vector<std::string> & folders) {
    std::vector<std::string> places;
    std::istringstream       path(environment_get("PATH"));
    std::string              place;
    while (std::getline(path, place, ':')) {
        places.push_back(place);
    }
    places.insert(places.end(), folders.begin(), folders.end());
    for (const std::string & one : places) {
        const std::string file = one + "/" + name;
        if (one.rfind('/', 0) == 0 && access(file.c_str(), X_OK) == 0) {
            return file;
        }
    }
    return "";
}

static pid_t start(const std::vector<std::string> & words, const std::string & folder, int out, int err) {
    std::vector<char *> argv;
    for (const std::string & word : words) {
        argv.push_back(const_cast<char *>(word.c_str()));
    }
    argv.push_back(nullptr);
    const pid_t child = fork();
    if (child != 0) {
        return child;
    }
    const int nothing = open("/dev/null", O_RDWR);
    dup2(nothing, STDIN_FILENO);
    dup2(out >= 0 ? out : nothing, STDOUT_FILENO);
    dup2(err >= 0 ? err : nothing, STDERR_FILENO);
    if (folder.empty() || chdir(folder.c_str()) == 0) {
        execv(argv[0], argv.data());
    }
    _exit(127);
}

static int end(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string compiler_output(const std::vector<std::string> & words) {
    int fds[2];
    if (pipe(fds) != 0) {
        return "";
    }
    fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    const pid_t child = start(words, "", fds[1], -1);
    close(fds[1]);
    std::string text;
    char        buf[4096];
    ssize_t     got;
    while ((got = read(fds[0], buf, sizeof(buf))) > 0 || (got < 0 && errno == EINTR)) {
        text.append(buf, got > 0 ? (size_t) got : 0);
    }
    close(fds[0]);
    return child > 0 && end(child) == 0 ? text : "";
}

int compiler_run(const std::vector<std::string> & words, const std::string & folder, const std::string & log) {
    const int   out   = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const pid_t child = start(words, folder, out, out);
    close(out);
    return child > 0 ? end(child) : -1;
}

std::vector<std::string> compiler_flags(const std::string & kind) {
    // macOS has a /usr/bin/clang always; without the tools it opens a window that offers them.
    if (kind == "metal" && compiler_output({ "/usr/bin/xcode-select", "-p" }).empty()) {
        throw user_error("Apple's command line tools are not installed", "install them: xcode-select --install");
    }
    return {};
}

#endif
