// Environment and messages.
#include "console.h"

#include "wide.h"

#include <stdlib.h>
#include <string.h>
#include <windows.h>

const char * os_getenv(const char * name) {
    wchar_t key[NAME_SIZE];
    wchar_t wide[WIDE_SIZE];
    if (!wide_text(name, key, NAME_SIZE)) {
        return NULL;
    }
    DWORD  length = GetEnvironmentVariableW(key, wide, WIDE_SIZE);
    char * value  = length > 0 && length < WIDE_SIZE ? malloc(PATH_SIZE) : NULL;
    return value && utf8_text(wide, value, PATH_SIZE) ? value : NULL;
}

void os_setenv(const char * name, const char * value) {
    wchar_t key[NAME_SIZE], wide[WIDE_SIZE];
    if (wide_text(name, key, NAME_SIZE) && (!value || wide_text(value, wide, WIDE_SIZE))) {
        SetEnvironmentVariableW(key, value ? wide : NULL);
    }
}

void os_complain(const char * text) {
    wchar_t wide[2 * WIDE_SIZE];
    DWORD   mode, n;
    HANDLE  out = GetStdHandle(STD_ERROR_HANDLE);
    // The console's own encoding is not to be changed behind its other users' backs.
    if (GetConsoleMode(out, &mode) && wide_text(text, wide, 2 * WIDE_SIZE)) {
        WriteConsoleW(out, wide, (DWORD) wcslen(wide), &n, NULL);
    } else {
        WriteFile(out, text, (DWORD) strlen(text), &n, NULL);
    }
}

// Whether somebody sees this console and can type: services have one too, in session 0.
static bool is_watched(HANDLE in) {
    DWORD session = 0, mode;
    return ProcessIdToSessionId(GetCurrentProcessId(), &session) && session != 0 && GetConsoleMode(in, &mode) &&
           GetConsoleMode(GetStdHandle(STD_ERROR_HANDLE), &mode);
}

bool window_closes(void) {
    DWORD processes[2];
    // More than one process: the console belongs to a shell, and stays.
    return GetConsoleProcessList(processes, 2) == 1 && is_watched(GetStdHandle(STD_INPUT_HANDLE));
}

void wait_for_enter(void) {
    HANDLE in = GetStdHandle(STD_INPUT_HANDLE);
    char   line[256];
    DWORD  n;
    SetConsoleMode(in, ENABLE_PROCESSED_INPUT | ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT);
    os_complain("Press Enter to close this window.\n");
    ReadFile(in, line, sizeof(line), &n, NULL);
}

void os_fail(void) {
    if (window_closes()) {
        wait_for_enter();
    }
    exit(1);
}
