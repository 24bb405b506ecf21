#ifdef _WIN32

#include "processors.h"

#ifndef WIN32_LEAN_AND_MEAN
#    define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>

int processors_allowed() {
    DWORD_PTR own = 0, all = 0;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &own, &all) || own == all) {
        return 0; // not limited: upstream counts cores
    }
    return __builtin_popcountll(own);
}

#endif
