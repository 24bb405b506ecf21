#ifdef _WIN32

#include "child_process.h"

#include <filesystem>
#include <thread>

#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>

static std::wstring wide(const std::string & text) {
    return std::filesystem::u8path(text).wstring();
}

static std::string read_all(HANDLE pipe) {
    std::string text;
    char        buf[4096];
    DWORD       got = 0;
    while (ReadFile(pipe, buf, sizeof(buf), &got, nullptr) && got > 0) {
        text.append(buf, got);
    }
    return text;
}

child_end child_run(const std::string & program, const std::string & name, const std::string & value, int seconds) {
    child_end           end;
    HANDLE              out = nullptr, in = nullptr;
    SECURITY_ATTRIBUTES inherited = { sizeof(inherited), nullptr, TRUE };
    if (!CreatePipe(&out, &in, &inherited, 1 << 16)) {
        end.failure = "it could not be started: error " + std::to_string(GetLastError());
        return end;
    }
    SetHandleInformation(out, HANDLE_FLAG_INHERIT, 0);
    HANDLE nothing = CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited,
                                 OPEN_EXISTING, 0, nullptr);

    STARTUPINFOW start = {};
    start.cb           = sizeof(start);
    start.dwFlags      = STARTF_USESTDHANDLES;
    start.hStdInput    = nothing;
    start.hStdOutput   = in;
    start.hStdError    = nothing;

    PROCESS_INFORMATION process = {};
    std::wstring        line    = L"\"" + wide(program) + L"\"";
    const UINT          mode    = SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    SetEnvironmentVariableW(wide(name).c_str(), wide(value).c_str());
    const BOOL started = CreateProcessW(wide(program).c_str(), line.data(), nullptr, nullptr, TRUE, CREATE_NO_WINDOW,
                                        nullptr, nullptr, &start, &process);
    const DWORD error = GetLastError();
    SetEnvironmentVariableW(wide(name).c_str(), nullptr);
    SetErrorMode(mode);
    CloseHandle(in);
    CloseHandle(nothing);
    if (!started) {
        CloseHandle(out);
        end.failure = "it could not be started: error " + std::to_string(error);
        return end;
    }
    std::thread reader([&]() { end.output = read_all(out); });
    const bool  in_time = WaitForSingleObject(process.hProcess, (DWORD) seconds * 1000) == WAIT_OBJECT_0;
    if (!in_time) {
        TerminateProcess(process.hProcess, 1);
    }
    reader.join();
    DWORD status = 0;
    GetExitCodeProcess(process.hProcess, &status);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    CloseHandle(out);
    if (!in_time) {
        end.failure = "it took more than " + std::to_string(seconds) + " seconds";
    } else if (status >= 0xC0000000) {
        char code[16];
        snprintf(code, sizeof(code), "0x%08lX", (unsigned long) status);
        end.failure = std::string("it crashed (") + code + ")";
    } else if (status != 0) {
        end.failure = "it ended with status " + std::to_string(status);
    }
    return end;
}

#endif
