// Starts programs.
#include "console.h"
#include "wide.h"

#include "../text.h"

#include <stdlib.h>
#include <string.h>
#include <windows.h>

// Newer than some headers.
enum { POLICY_VIOLATION_FIRST = 4550, POLICY_VIOLATION_LAST = 4581 };

enum {
    COMMAND_LINE_SIZE = 32767,
    INTERRUPT_TIME    = 5000, // milliseconds that an engine may take to end after Ctrl-C
    EVENT_DELAY       = 500,  // milliseconds by which Ctrl-C may arrive here later than there
    PROBE_TIME        = 60000, // milliseconds: antivirus software may ask its maker first
};

static const char * tip;

const char * os_tip(void) {
    return tip;
}

// Chooses the tip for a program that Windows did not start.
static const char * refused(DWORD error, const wchar_t * path) {
    bool gone = error == ERROR_FILE_NOT_FOUND && GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES;
    if (error == ERROR_VIRUS_INFECTED || error == ERROR_VIRUS_DELETED || gone) {
        tip = "Antivirus software took the engine away. If you trust the publisher of this file, restore the engine "
              "from its quarantine, allow it there, and start again.";
    } else if (error == ERROR_ACCESS_DISABLED_BY_POLICY || error == ERROR_ACCESS_DISABLED_NO_SAFER_UI_BY_POLICY ||
               (error >= POLICY_VIOLATION_FIRST && error <= POLICY_VIOLATION_LAST)) {
        tip = "A policy of this machine (AppLocker, App Control or Smart App Control) permits known programs only. Ask "
              "whoever manages it to permit the engine, or set LLAMAPACK_CACHE to a folder from which programs may run.";
    } else if (error == ERROR_ACCESS_DENIED) {
        tip = "Antivirus software or a policy of this machine may have blocked it: look into Windows Security, "
              "Protection history. Or set LLAMAPACK_CACHE to a folder from which programs may run.";
    }
    return os_reason((int) error);
}

/* -------------------------------------------- probe ------------------------------------------ */

// Puts a status such as 0xC0000139 into words.
static const char * bad_status(DWORD status) {
    static char text[64] = "it ended with status 0x";
    char *      end      = strchr(text, 'x') + 1;
    switch (status) {
        case 0xC0000135: return "a library it needs is missing";
        case 0xC0000138:
        case 0xC0000139: return "Windows lacks a function it needs";
    }
    for (int i = 0; i < 8; i++) {
        end[i] = "0123456789ABCDEF"[status >> (28 - 4 * i) & 15];
    }
    return text;
}

enum verdict os_probe(const char * program, const char ** reason, bool * lasting) {
    STARTUPINFOW        start = {.cb = sizeof(start)};
    PROCESS_INFORMATION process;
    wchar_t             path[WIDE_SIZE], command[] = L"llamapack-engine";
    DWORD               status = 1;
    *lasting = true; // nothing is remembered here
    if (!wide_path(program, path)) {
        *reason = os_reason(ERROR_FILENAME_EXCED_RANGE);
        return FORBIDDEN;
    }
    // Without this a missing library opens a message box, which nobody may be there to close.
    UINT mode = SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    os_setenv("LLAMAPACK_PROBE", "1");
    BOOL  ok    = CreateProcessW(path, command, NULL, NULL, FALSE, DETACHED_PROCESS, NULL, NULL, &start, &process);
    DWORD error = GetLastError();
    os_setenv("LLAMAPACK_PROBE", NULL);
    if (!ok) {
        SetErrorMode(mode);
        *reason = refused(error, path);
        return error == ERROR_BAD_EXE_FORMAT || error == ERROR_EXE_MACHINE_TYPE_MISMATCH || error == ERROR_OLD_WIN_VERSION
                   ? FAILS
                   : FORBIDDEN;
    }
    bool ended = WaitForSingleObject(process.hProcess, PROBE_TIME) == WAIT_OBJECT_0;
    if (!ended) {
        TerminateProcess(process.hProcess, status);
    }
    GetExitCodeProcess(process.hProcess, &status);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    SetErrorMode(mode);
    *reason = ended ? bad_status(status) : "it did not end on a trial";
    return ended && status == 0 ? WORKS : FAILS;
}

/* -------------------------------------------- start ------------------------------------------ */

// What follows the program's name, by the C library's rule: quotes hide blanks in it, and nothing
// escapes a quote.
static const wchar_t * arguments(const wchar_t * line) {
    bool quoted = false;
    for (; *line && (quoted || (*line != L' ' && *line != L'\t')); line++) {
        if (*line == L'"') {
            quoted = !quoted;
        }
    }
    return line;
}

// The engine's command line: the bundle's path in place of the stub's name, the rest untouched.
static wchar_t * engine_command(const char * bundle) {
    wchar_t         name[WIDE_SIZE];
    const wchar_t * rest = arguments(GetCommandLineW());
    if (!wide_text(bundle, name, WIDE_SIZE)) {
        return NULL;
    }
    size_t    size    = wcslen(name) + wcslen(rest) + 3;
    wchar_t * command = size <= COMMAND_LINE_SIZE ? malloc(size * sizeof(wchar_t)) : NULL;
    if (command) {
        wcscpy(command, L"\"");
        wcscat(command, name);
        wcscat(command, L"\"");
        wcscat(command, rest);
    }
    return command;
}

// The engine goes when this program is killed; a browser that it opened stays.
static void die_together(HANDLE process) {
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    HANDLE                               job    = CreateJobObjectW(NULL, NULL);
    limits.BasicLimitInformation.LimitFlags     = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_BREAKAWAY_OK |
                                              JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    if (job && SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits))) {
        // May be refused where this program is in a job itself; the engine runs without, then.
        AssignProcessToJobObject(job, process);
    }
}

static HANDLE engine;
static volatile ULONGLONG interrupted; // when, in milliseconds since Windows started; 0: never

// The engine gets these events as well and decides what they mean. After the last three Windows ends
// this program as soon as it returns: so it must not before the engine is done.
static BOOL WINAPI leave_to_engine(DWORD event) {
    interrupted = GetTickCount64();
    if (event == CTRL_CLOSE_EVENT || event == CTRL_LOGOFF_EVENT || event == CTRL_SHUTDOWN_EVENT) {
        WaitForSingleObject(engine, INFINITE);
    }
    return TRUE;
}

// Who has pressed Ctrl-C knows why the engine ended.
static bool was_interrupted(void) {
    Sleep(EVENT_DELAY);
    return interrupted && GetTickCount64() - interrupted <= INTERRUPT_TIME + EVENT_DELAY;
}

// What this program was given goes on to the engine: standard handles, window, the C library's files.
static void pass_on(STARTUPINFOW * start) {
    GetStartupInfoW(start);
    start->lpReserved = NULL;
    start->dwFlags    = (start->dwFlags & STARTF_USESHOWWINDOW) | STARTF_USESTDHANDLES;
    start->hStdInput  = GetStdHandle(STD_INPUT_HANDLE);
    start->hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    start->hStdError  = GetStdHandle(STD_ERROR_HANDLE);
    HANDLE handles[]  = {start->hStdInput, start->hStdOutput, start->hStdError};
    for (size_t i = 0; i < 3; i++) {
        SetHandleInformation(handles[i], HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    }
}

const char * os_start(const char * program, char ** argv, const char * bundle) {
    STARTUPINFOW        start;
    PROCESS_INFORMATION process;
    wchar_t             path[WIDE_SIZE];
    DWORD               status  = 1;
    wchar_t *           command = engine_command(bundle);
    (void) argv; // Windows has one line instead, which must arrive as it was written
    if (!command || !wide_path(program, path)) {
        return "the command line is too long";
    }
    pass_on(&start);
    if (!CreateProcessW(path, command, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &start, &process)) {
        return refused(GetLastError(), path);
    }
    engine = process.hProcess;
    SetConsoleCtrlHandler(leave_to_engine, TRUE);
    die_together(process.hProcess);
    ResumeThread(process.hThread);
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &status);
    if (status != 0 && window_closes() && !was_interrupted()) {
        wait_for_enter();
    }
    ExitProcess(status);
}
