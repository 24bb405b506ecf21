// Which CPU modules for x86 count. Upstream asks the processor only; the system may keep registers
// back that it has, and the first instruction that uses them ends the process.

#include "cpu_score.h"

#include <stdbool.h>
#include <stdint.h>

#include <cpuid.h>

#if defined(__linux__)
#    include <sys/syscall.h>
#    include <unistd.h>
#elif defined(_WIN32)
#    define WIN32_LEAN_AND_MEAN
#    include <windows.h>
#endif

// Bits of XCR0. Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, 13.3
#define AVX_STATE    0x06u
#define AVX512_STATE 0xe6u
#define TILE_DATA    18

#if defined(GGML_AVX512)
#    define NEEDED AVX512_STATE
#elif defined(GGML_AVX)
#    define NEEDED AVX_STATE
#else
#    define NEEDED 0u
#endif

static bool registers_saved(uint32_t needed) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) {
        return false;
    }
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & needed) == needed;
}

#ifdef GGML_AMX_INT8

// The tiles of AMX are 8 KiB that a thread's state does not hold until the process has asked.
static bool tiles_granted(void) {
#    if defined(__linux__)
    const long request_permission = 0x1023; // ARCH_REQ_XCOMP_PERM of asm/prctl.h, since Linux 5.16
    return syscall(SYS_arch_prctl, request_permission, TILE_DATA) == 0;
#    elif defined(_WIN32)
    // Since Windows 11 and Server 2022; not in Wine 8.
    typedef BOOL(WINAPI * enable_function)(DWORD64 features);
    const HMODULE         kernel = GetModuleHandleA("kernel32.dll");
    const enable_function enable = (enable_function) (void *) GetProcAddress(kernel, "EnableProcessOptionalXStateFeatures");
    return enable != NULL && enable(1ull << TILE_DATA);
#    else
    return false;
#    endif
}

#endif

const char * cpu_trouble(void) {
    if (ggml_backend_score_of_cpuid() == 0) {
        return "the processor lacks instructions that it is compiled for";
    }
    if (NEEDED != 0 && !registers_saved(NEEDED)) {
        return "the operating system keeps registers back that it needs";
    }
#ifdef GGML_AMX_INT8
    if (!tiles_granted()) {
        return "the operating system does not give this process the tile registers of AMX";
    }
#endif
    return "";
}

int ggml_backend_score(void) {
    return cpu_trouble()[0] == '\0' ? ggml_backend_score_of_cpuid() : 0;
}
