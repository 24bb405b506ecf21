#include "leaving.h"

#include "temporary_file.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#ifdef _WIN32
#    define WIN32_LEAN_AND_MEAN
#    include <windows.h>
#else
#    include <cerrno>
#    include <fcntl.h>
#    include <unistd.h>
#endif

static constexpr int LEAVING_MS = 1300; // so that it is over within two seconds, on a busy machine too

static std::atomic<bool> begun{ false };
static void (*begin_now)(int) = nullptr;

bool leaving_begun() {
    return begun.load();
}

// What upstream does takes locks, and may wait for a model that computes.
static void leave(int number) {
    if (begun.exchange(true)) {
        std::_Exit(1);
    }
    std::thread([number]() { begin_now(number); }).detach();
    std::this_thread::sleep_for(std::chrono::milliseconds(LEAVING_MS));
    fflush(stdout);
    temporary_files_remove();
    std::_Exit(0);
}

#ifdef _WIN32

static BOOL WINAPI on_event(DWORD) {
    leave(SIGINT);
    return TRUE;
}

void leaving_watch(void (*begin)(int)) {
    begin_now = begin;
    SetConsoleCtrlHandler(on_event, TRUE);
}

#else

static int signals[2] = { -1, -1 }; // a pipe: a handler may do no more than write

static void on_signal(int number) {
    const int           error = errno;
    const unsigned char byte  = (unsigned char) number;
    if (write(signals[1], &byte, 1) < 0) {
        // it is full of signals that have come already
    }
    errno = error;
}

static void signals_read() {
    unsigned char number;
    while (read(signals[0], &number, 1) == 1) {
        if (begun.load()) {
            std::_Exit(1);
        }
        std::thread(leave, number).detach();
    }
}

void leaving_watch(void (*begin)(int)) {
    if (begin_now || pipe(signals) != 0) {
        return;
    }
    for (const int end : signals) {
        fcntl(end, F_SETFD, FD_CLOEXEC);
    }
    begin_now = begin;
    std::thread(signals_read).detach();
    struct sigaction action{};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

#endif
