// Stands in for the engine on Windows: says in UTF-8 what it was given. FAKE_STATUS is its exit
// status, FAKE_STARTED a file to write its process id to before it sleeps. Ctrl-C ends it with status 42.
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

static void say(const char * what, const wchar_t * wide) {
    static char text[200000];
    WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, sizeof(text), NULL, NULL);
    printf("%s %s\n", what, text);
}

static BOOL WINAPI interrupted(DWORD event) {
    (void) event;
    ExitProcess(42);
}

int main(void) {
    static wchar_t value[40000];
    if (GetEnvironmentVariableW(L"LLAMAPACK_PROBE", value, 10)) {
#ifdef REFUSES
        return 1;
#else
        return 0;
#endif
    }
    SetConsoleCtrlHandler(interrupted, TRUE);
    say("line", GetCommandLineW());
    say("bundle", GetEnvironmentVariableW(L"LLAMAPACK_BUNDLE", value, 40000) ? value : L"-");
    GetModuleFileNameW(NULL, value, 40000);
    say("program", value);
    fflush(stdout);
    const wchar_t * started = _wgetenv(L"FAKE_STARTED");
    if (started) {
        FILE * file = _wfopen(started, L"w");
        fprintf(file, "%lu", GetCurrentProcessId());
        fclose(file);
        Sleep(60000);
    }
    const wchar_t * status = _wgetenv(L"FAKE_STATUS");
    ExitProcess(status ? wcstoul(status, NULL, 0) : 7);
}
