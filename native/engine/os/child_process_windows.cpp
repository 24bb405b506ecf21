#ifdef _WIN32

#include "child_process.h"

#include "process_windows.h"

#include <filesystem>
#include <thread>

static std::wstring wide(const std::string & text) {
    return std::filesystem::u8path(text).wstring();
}

static child_end not_started(DWORD error) {
    return { "", "it could not be started: error " + std::to_string(error) };
}

child_end child_run(const std::string & program, const std::string & name, const std::string & value, int seconds) {
    process_pipe pipe;
    if (!process_pipe_open(pipe)) {
        return not_started(GetLastError());
    }
    const UINT mode = SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    SetEnvironmentVariableW(wide(name).c_str(), wide(value).c_str());
    const HANDLE process = process_start({ program }, "", pipe.in, nullptr);
    const DWORD  error   = GetLastError();
    SetEnvironmentVariableW(wide(name).c_str(), nullptr);
    SetErrorMode(mode);
    CloseHandle(pipe.in);
    if (!process) {
        CloseHandle(pipe.out);
        return not_started(error);
    }
    child_end   end;
    std::thread reader([&]() { end.output = process_pipe_read(pipe.out); });
    const bool  in_time = WaitForSingleObject(process, (DWORD) seconds * 1000) == WAIT_OBJECT_0;
    if (!in_time) {
        TerminateProcess(process, 1);
    }
    reader.join();
    CloseHandle(pipe.out);
    const DWORD status = process_end(process);
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
