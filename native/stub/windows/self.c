// What this program is, and where it came from.
#include "wide.h"

#include <windows.h>

const char * os_machine(void) {
    // Windows 10 before 1511 has no such function, and no such machine either.
    typedef BOOL(WINAPI * is_wow64_process2)(HANDLE, USHORT *, USHORT *);
    is_wow64_process2 ask = (is_wow64_process2) (void *) GetProcAddress(
        GetModuleHandleW(L"kernel32.dll"), "IsWow64Process2");
    USHORT process, machine;
    if (ask && ask(GetCurrentProcess(), &process, &machine)) {
        return machine == IMAGE_FILE_MACHINE_ARM64 ? "aarch64" : "x86_64";
    }
#ifdef __aarch64__
    return "aarch64";
#else
    return "x86_64";
#endif
}

const char * os_typed_name(int argc, char ** argv) {
    (void) argc, (void) argv; // not UTF-8
    return NULL;
}

const char * os_self_path(size_t index, const char * argv0, char buffer[PATH_SIZE]) {
    wchar_t wide[WIDE_SIZE];
    (void) argv0;
    if (index > 0) {
        return NULL;
    }
    DWORD length = GetModuleFileNameW(NULL, wide, WIDE_SIZE);
    return length > 0 && length < WIDE_SIZE && utf8_text(wide, buffer, PATH_SIZE) ? buffer : "";
}
