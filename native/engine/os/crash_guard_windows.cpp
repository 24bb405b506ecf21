#ifdef _WIN32

#include "crash_guard.h"

#include <csignal>

#ifndef WIN32_LEAN_AND_MEAN
#    define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#    define NOMINMAX
#endif
#include <windows.h>

static void (*restore_now)() = nullptr;

void crash_guard_install(void (*restore)()) {
    restore_now = restore;
    crash_guard_thread();
    SetUnhandledExceptionFilter([](EXCEPTION_POINTERS *) -> LONG {
        restore_now();
        return EXCEPTION_CONTINUE_SEARCH;
    });
    signal(SIGABRT, [](int) { restore_now(); });
}

void crash_guard_thread() {
    ULONG bytes = 32 * 1024;
    SetThreadStackGuarantee(&bytes);
}

#endif
