#ifdef _WIN32

#include "parent.h"

#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>

#include <cstdlib>
#include <thread>

// Upstream starts it without a console, so that no Ctrl-C gets here.
void parent_follow(const std::string & number) {
    const HANDLE parent = OpenProcess(SYNCHRONIZE, FALSE, (DWORD) std::strtoul(number.c_str(), nullptr, 10));
    if (!parent) {
        return;
    }
    std::thread([parent]() {
        WaitForSingleObject(parent, INFINITE);
        TerminateProcess(GetCurrentProcess(), 1);
    }).detach();
}

std::string process_number() {
    return std::to_string(GetCurrentProcessId());
}

#endif
