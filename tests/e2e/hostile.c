// Preloaded into an engine: on SIGUSR1 the thread that gets it does what somebody would who has taken the
// engine over, and writes a line of `NAME=ERRNO` to the descriptor in HOSTILE_REPORT.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int  report, port;
static long victim;
static char secret[512], output[512], environment[64];

static char   line[2048];
static size_t length;

static void say(const char * name, long result) {
    length += (size_t) snprintf(line + length, sizeof(line) - length, "%s=%d ", name, result < 0 ? errno : 0);
}

static long opened(const char * path, int flags) {
    const int fd = open(path, flags, 0600);
    return fd < 0 ? fd : close(fd);
}

// Some files of /proc can be opened and say nothing.
static long had(const char * path) {
    char byte;
    const int  fd  = open(path, O_RDONLY);
    const long got = fd < 0 ? -1 : read(fd, &byte, 1);
    const int  why = got == 0 ? EACCES : errno;
    close(fd);
    errno = why;
    return got == 1 ? 0 : -1;
}

static long program(void) {
    const long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        char * words[] = { "/bin/true", 0 };
        execve(words[0], words, 0);
        _exit(errno);
    }
    int status = 0;
    if (child < 0) {
        return -1;
    }
    waitpid((pid_t) child, &status, 0);
    errno = WEXITSTATUS(status);
    return errno ? -1 : 0;
}

static long connected(int kind, int protocol, int flags) {
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((unsigned short) port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const int fd = socket(AF_INET, kind, protocol);
    if (fd < 0) {
        return -1;
    }
    const long got = flags ? sendto(fd, "x", 1, flags, (struct sockaddr *) &to, sizeof(to)) : connect(fd, (struct sockaddr *) &to, sizeof(to));
    const int  why = errno;
    close(fd);
    errno = why;
    return got;
}

static long bound(void) {
    struct sockaddr_in at = { .sin_family = AF_INET };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? -1 : bind(fd, (struct sockaddr *) &at, sizeof(at));
}

static long read_memory(void) {
    char here[8];
    struct iovec to = { here, 8 }, from = { line, 8 };
    return process_vm_readv((pid_t) victim, &to, 1, &from, 1, 0);
}

static void attack(int number) {
    (void) number;
    length = (size_t) snprintf(line, sizeof(line), "thread=%ld ", syscall(SYS_gettid));
    say("read", had(secret));
    say("overwrite", opened(secret, O_WRONLY | O_APPEND));
    say("create", opened(output, O_WRONLY | O_CREAT));
    say("chmod", chmod(secret, 0644));
    say("environment", had(environment));
    say("connect", connected(SOCK_STREAM, 0, 0));
    say("fastopen", connected(SOCK_STREAM, 0, 0x20000000));
    say("mptcp", connected(SOCK_STREAM, 262, 0));
    say("udp", connected(SOCK_DGRAM, 0, MSG_DONTWAIT));
    say("unix", socket(AF_UNIX, SOCK_STREAM, 0));
    say("bind", bound());
    say("exec", program());
    say("ptrace", ptrace(PTRACE_SEIZE, (pid_t) victim, 0, 0));
    say("memory", read_memory());
    say("kill", kill((pid_t) victim, SIGCONT));
    say("tkill", syscall(SYS_tkill, victim, SIGCONT));
    say("io_uring", syscall(425, 0, 0));
    say("unshare", syscall(SYS_unshare, 0x10000000));
    say("type", ioctl(0, 0x5412, "x"));
    line[length - 1] = '\n';
    const ssize_t ignored = write(report, line, length);
    (void) ignored;
}

static void keep(char * to, size_t size, const char * name) {
    snprintf(to, size, "%s", getenv(name) ? getenv(name) : "");
}

__attribute__((constructor)) static void begin(void) {
    if (!getenv("HOSTILE_REPORT")) {
        return;
    }
    report = atoi(getenv("HOSTILE_REPORT"));
    port   = atoi(getenv("HOSTILE_PORT"));
    victim = atol(getenv("HOSTILE_VICTIM"));
    keep(secret, sizeof(secret), "HOSTILE_SECRET");
    keep(output, sizeof(output), "HOSTILE_OUTPUT");
    snprintf(environment, sizeof(environment), "/proc/%ld/environ", victim);
    signal(SIGUSR1, attack);
}
