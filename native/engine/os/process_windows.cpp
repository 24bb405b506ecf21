#ifdef _WIN32

#include "process_windows.h"

#include <filesystem>

namespace fs = std::filesystem;

// As CommandLineToArgvW reads it: backslashes count only in front of a quotation mark.
static std::string quoted(const std::string & word) {
    std::string text        = "\"";
    size_t      backslashes = 0;
    for (const char c : word) {
        if (c == '"') {
            text.append(backslashes + 1, '\\');
        }
        backslashes = c == '\\' ? backslashes + 1 : 0;
        text += c;
    }
    return text.append(backslashes, '\\') + "\"";
}

bool process_pipe_open(process_pipe & pipe) {
    SECURITY_ATTRIBUTES inherited = { sizeof(inherited), nullptr, TRUE };
    return CreatePipe(&pipe.out, &pipe.in, &inherited, 1 << 16) && SetHandleInformation(pipe.out, HANDLE_FLAG_INHERIT, 0);
}

std::string process_pipe_read(HANDLE out) {
    std::string text;
    char        buf[4096];
    DWORD       got = 0;
    while (ReadFile(out, buf, sizeof(buf), &got, nullptr) && got > 0) {
        text.append(buf, got);
    }
    return text;
}

HANDLE process_start(const std::vector<std::string> & words, const std::string & folder, HANDLE out, HANDLE err) {
    std::string line;
    for (const std::string & word : words) {
        line += (line.empty() ? "" : " ") + quoted(word);
    }
    SECURITY_ATTRIBUTES inherited = { sizeof(inherited), nullptr, TRUE };
    HANDLE nothing = CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited,
                                 OPEN_EXISTING, 0, nullptr);

    STARTUPINFOW start = {};
    start.cb           = sizeof(start);
    start.dwFlags      = STARTF_USESTDHANDLES;
    start.hStdInput    = nothing;
    start.hStdOutput   = out ? out : nothing;
    start.hStdError    = err ? err : nothing;

    PROCESS_INFORMATION process = {};
    std::wstring        wide    = fs::u8path(line).wstring();
    const fs::path      place   = fs::u8path(folder);
    const BOOL  started = CreateProcessW(fs::u8path(words[0]).c_str(), wide.data(), nullptr, nullptr, TRUE, CREATE_NO_WINDOW,
                                         nullptr, folder.empty() ? nullptr : place.c_str(), &start, &process);
    const DWORD error   = GetLastError();
    CloseHandle(nothing);
    if (!started) {
        SetLastError(error);
        return nullptr;
    }
    CloseHandle(process.hThread);
    return process.hProcess;
}

DWORD process_end(HANDLE process) {
    DWORD status = 1;
    WaitForSingleObject(process, INFINITE);
    GetExitCodeProcess(process, &status);
    CloseHandle(process);
    return status;
}

#endif
