#ifdef _WIN32

#include "helper.h"

#include "browser.h"
#include "process_windows.h"
#include "program_path.h"
#include "server_address.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

static const char URL[]    = "LLAMAPACK_HELPER_URL";
static const char PARENT[] = "LLAMAPACK_HELPER_OF";

static HANDLE event_of(const std::string & parent) {
    return CreateEventA(nullptr, TRUE, FALSE, ("Local\\llamapack-browser-" + parent).c_str());
}

static HANDLE asked = nullptr;

void helper_start(const std::string & program, const std::string & url, bool) {
    if (url.empty() || asked) {
        return;
    }
    const std::string parent = std::to_string(GetCurrentProcessId());
    asked = event_of(parent);
    environment_set(URL, url);
    environment_set(PARENT, parent);
    const HANDLE process = process_start({ program }, "", nullptr, nullptr);
    environment_remove(URL);
    environment_remove(PARENT);
    if (process) {
        CloseHandle(process);
    }
}

void helper_browse() {
    if (asked) {
        SetEvent(asked);
    }
}

std::string helper_write(const std::string & path, const std::string & text) {
    std::ofstream file(std::filesystem::u8path(path), std::ios::binary);
    file << text;
    file.close();
    return file ? "" : "it cannot be written";
}

bool helper_answer() {
    const std::string url = environment_get(URL), parent = environment_get(PARENT);
    if (url.empty()) {
        return false;
    }
    environment_remove(URL);
    environment_remove(PARENT);
    const HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, (DWORD) std::strtoul(parent.c_str(), nullptr, 10));
    const HANDLE waited[2] = { event_of(parent), process };
    if (process && WaitForMultipleObjects(2, waited, FALSE, INFINITE) == WAIT_OBJECT_0 &&
        server_wait(url, [&]() { return WaitForSingleObject(process, 0) == WAIT_OBJECT_0; })) {
        browser_open(url);
    }
    return true;
}

#endif
