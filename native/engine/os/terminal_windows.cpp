// terminal.h for Windows. Keys are read as key events and handed on as UTF-8 and VT100 sequences;
// no virtual terminal input is needed of the console, only its output.
#ifdef _WIN32

#include "terminal.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#include <process.h>

#ifndef ENABLE_VIRTUAL_TERMINAL_PROCESSING
#define ENABLE_VIRTUAL_TERMINAL_PROCESSING 0x0004
#endif

static std::atomic<bool>         interrupted{false};
static HANDLE                    wake_event = nullptr;
static HANDLE                    console_in = nullptr; // null when input is not a console
static DWORD                     original_in;
static DWORD                     original_out;
static UINT                      original_codepage = 0;
static bool                      can_edit  = false;
static std::atomic<bool>         pipe_read{false};      // a read that nothing can wake
static terminal_mode             mode_now  = TERMINAL_MODE_ORIGINAL;
static wchar_t                   surrogate = 0;
static std::deque<unsigned char> input;                 // read, not yet asked for

bool terminal_input_is_tty()  { DWORD mode; return GetConsoleMode(GetStdHandle(STD_INPUT_HANDLE),  &mode); }
bool terminal_output_is_tty() { DWORD mode; return GetConsoleMode(GetStdHandle(STD_OUTPUT_HANDLE), &mode); }
bool terminal_error_is_tty()  { DWORD mode; return GetConsoleMode(GetStdHandle(STD_ERROR_HANDLE),  &mode); }
bool terminal_can_edit()      { return can_edit; }

bool terminal_is_dumb() {
    const char * term = getenv("TERM"); // as a terminal that is not of Windows sets it
    return term && strcmp(term, "dumb") == 0;
}

void terminal_open() {
    if (!wake_event) {
        wake_event = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    }
    const HANDLE in  = GetStdHandle(STD_INPUT_HANDLE);
    const HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
    console_in       = GetConsoleMode(in, &original_in) ? in : nullptr;
    if (GetConsoleMode(out, &original_out)) {
        original_codepage = GetConsoleOutputCP();
        SetConsoleOutputCP(CP_UTF8);
        can_edit = SetConsoleMode(out, original_out | ENABLE_VIRTUAL_TERMINAL_PROCESSING) && console_in;
    }
}

void terminal_set_mode(terminal_mode mode) {
    mode_now = mode;
    if (!console_in) {
        return;
    }
    DWORD flags = original_in;
    if (mode != TERMINAL_MODE_ORIGINAL) {
        flags &= ~(DWORD) (ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT);
        flags |= ENABLE_PROCESSED_INPUT;
    }
    if (mode == TERMINAL_MODE_RAW) {
        flags &= ~(DWORD) ENABLE_PROCESSED_INPUT;
    }
    SetConsoleMode(console_in, flags);
}

void terminal_close() {
    if (console_in) {
        SetConsoleMode(console_in, original_in);
    }
    if (original_codepage) {
        SetConsoleMode(GetStdHandle(STD_OUTPUT_HANDLE), original_out);
        SetConsoleOutputCP(original_codepage);
    }
}

void terminal_reset() {
    static const char END[] = "\x1b[0m\x1b[?2004l";
    if (mode_now != TERMINAL_MODE_ORIGINAL && can_edit) {
        DWORD written;
        WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), END, sizeof(END) - 1, &written, nullptr);
    }
    terminal_close(); // after which the console may print escapes as they are
}

static void input_push(const char * bytes) {
    for (; *bytes; bytes++) {
        input.push_back((unsigned char) *bytes);
    }
}

static void input_push_wide(wchar_t unit) {
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        surrogate = unit;
        return;
    }
    const wchar_t units[2] = {surrogate, unit};
    const bool    pair     = surrogate && unit >= 0xDC00 && unit <= 0xDFFF;
    char          bytes[8];
    const int     n = WideCharToMultiByte(CP_UTF8, 0, pair ? units : &unit, pair ? 2 : 1, bytes, sizeof(bytes), nullptr, nullptr);
    input.insert(input.end(), bytes, bytes + n);
    surrogate = 0;
}

static void input_push_key(const KEY_EVENT_RECORD & key) {
    const bool ctrl = key.dwControlKeyState & (LEFT_CTRL_PRESSED | RIGHT_CTRL_PRESSED);
    const bool alt  = key.dwControlKeyState & LEFT_ALT_PRESSED;
    for (int i = 0; i < key.wRepeatCount; i++) {
        if (key.uChar.UnicodeChar) {
            if (alt && !ctrl) {
                input_push("\x1b");
            }
            input_push_wide(key.uChar.UnicodeChar);
            continue;
        }
        switch (key.wVirtualKeyCode) {
            case VK_UP:     input_push("\x1b[A");                     break;
            case VK_DOWN:   input_push("\x1b[B");                     break;
            case VK_RIGHT:  input_push(ctrl ? "\x1b[1;5C" : "\x1b[C"); break;
            case VK_LEFT:   input_push(ctrl ? "\x1b[1;5D" : "\x1b[D"); break;
            case VK_HOME:   input_push("\x1b[H");                     break;
            case VK_END:    input_push("\x1b[F");                     break;
            case VK_DELETE: input_push("\x1b[3~");                    break;
        }
    }
}

// Takes the key events that wait, without blocking.
static void keys_take() {
    DWORD count = 0;
    while (GetNumberOfConsoleInputEvents(console_in, &count) && count > 0) {
        INPUT_RECORD record;
        if (!ReadConsoleInputW(console_in, &record, 1, &count) || count == 0) {
            return;
        }
        const KEY_EVENT_RECORD & key = record.Event.KeyEvent;
        // a character typed by Alt and digits comes with the release of Alt
        if (record.EventType == KEY_EVENT && (key.bKeyDown || (key.wVirtualKeyCode == VK_MENU && key.uChar.UnicodeChar))) {
            input_push_key(key);
        }
    }
}

// One line as the console itself edits it. Ctrl-Z at its start ends the input.
static int console_read_line() {
    wchar_t buffer[1024];
    DWORD   n = 0;
    SetLastError(0);
    if (!ReadConsoleW(console_in, buffer, 1024, &n, nullptr) || n == 0) {
        return GetLastError() == ERROR_OPERATION_ABORTED ? TERMINAL_INTERRUPT : TERMINAL_END;
    }
    if (buffer[0] == 0x1a) {
        return TERMINAL_END;
    }
    for (DWORD i = 0; i < n; i++) {
        if (buffer[i] != L'\r') {
            input_push_wide(buffer[i]);
        }
    }
    return 0;
}

int terminal_read() {
    while (input.empty()) {
        if (console_in && mode_now == TERMINAL_MODE_RAW) {
            const HANDLE handles[2] = {wake_event, console_in};
            if (WaitForMultipleObjects(2, handles, FALSE, INFINITE) == WAIT_OBJECT_0) {
                terminal_interrupt_clear();
                return TERMINAL_INTERRUPT;
            }
            keys_take();
        } else if (console_in) {
            const int status = console_read_line();
            if (status < 0) {
                terminal_interrupt_clear();
                return status;
            }
        } else {
            unsigned char buffer[4096];
            DWORD         n = 0;
            pipe_read     = true;
            const bool ok = ReadFile(GetStdHandle(STD_INPUT_HANDLE), buffer, sizeof(buffer), &n, nullptr);
            pipe_read     = false;
            if (!ok || n == 0) {
                return TERMINAL_END;
            }
            input.insert(input.end(), buffer, buffer + n);
        }
    }
    const int byte = input.front();
    input.pop_front();
    return byte;
}

bool terminal_pending(int timeout_ms) {
    if (input.empty() && console_in && mode_now == TERMINAL_MODE_RAW) {
        const ULONGLONG end = GetTickCount64() + (ULONGLONG) timeout_ms;
        do { // events that are no keys end a wait too
            const ULONGLONG now = GetTickCount64();
            WaitForSingleObject(console_in, now < end ? (DWORD) (end - now) : 0);
            keys_take();
        } while (input.empty() && GetTickCount64() < end);
    }
    return !input.empty();
}

int terminal_columns() {
    CONSOLE_SCREEN_BUFFER_INFO info;
    if (GetConsoleScreenBufferInfo(GetStdHandle(STD_OUTPUT_HANDLE), &info)) {
        return info.srWindow.Right - info.srWindow.Left + 1;
    }
    return 80;
}

void terminal_suspend() {
}

// Runs in a thread of its own, so leaving from here is allowed.
void terminal_interrupt() {
    interrupted = true;
    if (pipe_read) {
        _exit(130);
    }
    if (wake_event) {
        SetEvent(wake_event);
    }
}

bool terminal_interrupted() {
    return interrupted;
}

void terminal_interrupt_clear() {
    interrupted = false;
    if (wake_event) {
        ResetEvent(wake_event);
    }
}

#endif
