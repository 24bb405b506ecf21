#ifdef _WIN32

#include "program_path.h"

#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#include <io.h>
#include <shellapi.h>

#include <cstdlib>

static std::string to_utf8(const wchar_t * text) {
    const int   size = WideCharToMultiByte(CP_UTF8, 0, text, -1, nullptr, 0, nullptr, nullptr);
    std::string result((size_t) size, '\0');
    WideCharToMultiByte(CP_UTF8, 0, text, -1, &result[0], size, nullptr, nullptr);
    result.resize((size_t) size - 1);
    return result;
}

static std::wstring to_wide(const char * text) {
    const int    size = MultiByteToWideChar(CP_UTF8, 0, text, -1, nullptr, 0);
    std::wstring result((size_t) size, L'\0');
    MultiByteToWideChar(CP_UTF8, 0, text, -1, &result[0], size);
    result.resize((size_t) size - 1);
    return result;
}

std::string program_file(int, char **) {
    std::vector<wchar_t> path(32768);
    GetModuleFileNameW(nullptr, path.data(), (DWORD) path.size());
    return to_utf8(path.data());
}

std::vector<std::string> program_arguments(int, char **) {
    int        count = 0;
    wchar_t ** wide  = CommandLineToArgvW(GetCommandLineW(), &count);

    std::vector<std::string> words;
    for (int i = 1; i < count; i++) {
        words.push_back(to_utf8(wide[i]));
    }
    LocalFree(wide);
    return words;
}

void standard_streams_open() {} // the C library does

bool terminal_absent() {
    DWORD processes[3];
    // Alone in its console, but for the stub that started it: a double click.
    return GetConsoleProcessList(processes, 3) <= 2 && _isatty(0);
}

std::string environment_get(const char * name) {
    const wchar_t * value = _wgetenv(to_wide(name).c_str());
    return value ? to_utf8(value) : "";
}

void environment_set(const char * name, const std::string & value) {
    _wputenv_s(to_wide(name).c_str(), to_wide(value.c_str()).c_str());
}

void environment_remove(const char * name) {
    _wputenv_s(to_wide(name).c_str(), L"");
}

#endif
