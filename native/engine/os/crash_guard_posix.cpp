#ifndef _WIN32

#include "crash_guard.h"

#include <csignal>
#include <memory>

static constexpr size_t STACK_SIZE = 64 * 1024;

static void (*restore_now)() = nullptr;

static void on_crash(int number) {
    restore_now();
    raise(number); // as if nobody had looked: SA_RESETHAND
}

void crash_guard_install(void (*restore)()) {
    restore_now = restore;
    crash_guard_thread();

    struct sigaction action{};
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_crash;
    action.sa_flags   = (int) (SA_ONSTACK | SA_RESETHAND | SA_NODEFER);
    for (const int number : { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT }) {
        sigaction(number, &action, nullptr);
    }
}

struct crash_stack {
    std::unique_ptr<char[]> memory = std::make_unique<char[]>(STACK_SIZE);

    crash_stack() {
        stack_t stack{};
        stack.ss_sp   = memory.get();
        stack.ss_size = STACK_SIZE;
        sigaltstack(&stack, nullptr);
    }

    ~crash_stack() {
        stack_t stack{};
        stack.ss_flags = SS_DISABLE;
        sigaltstack(&stack, nullptr);
    }
};

void crash_guard_thread() {
    static thread_local crash_stack stack;
    (void) stack;
}

#endif
