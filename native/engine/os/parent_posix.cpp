#ifndef _WIN32

#include "parent.h"

#include <chrono>
#include <thread>

#include <unistd.h>

// The parent's end gives its children another parent. Linux could send a signal, but it does so when
// the thread ends that has started the child.
void parent_follow(const std::string & number) {
    setpgid(0, 0);
    std::thread([number]() {
        while (std::to_string(getppid()) == number) {
            std::this_thread::sleep_for(std::chrono::milliseconds(500));
        }
        _exit(1);
    }).detach();
}

std::string process_number() {
    return std::to_string(getpid());
}

#endif
