#include "dynamic_library.h"

#ifdef _WIN32

#    include <filesystem>

#    define WIN32_LEAN_AND_MEAN
#    define NOMINMAX
#    include <windows.h>

void library_folders_restrict() {
    wchar_t    system[MAX_PATH];
    const UINT length = GetSystemDirectoryW(system, MAX_PATH);
    if (length > 0 && length < MAX_PATH) {
        SetDllDirectoryW(system); // takes the current directory's place in the order; PATH still counts
    }
}

bool library_present(const std::string & name) {
    return LoadLibraryA(name.c_str()) != nullptr;
}

// Windows says only that some library was not found, not which: so its list is read here.
// Format: Microsoft's PE specification, "The .idata section".
std::string library_missing(const std::string & path) {
    const std::wstring file   = std::filesystem::u8path(path).wstring();
    const HMODULE      module = LoadLibraryExW(file.c_str(), nullptr, DONT_RESOLVE_DLL_REFERENCES);
    if (!module) {
        return "";
    }
    const char * base    = (const char *) module;
    const auto * headers = (const IMAGE_NT_HEADERS *) (base + ((const IMAGE_DOS_HEADER *) base)->e_lfanew);
    const DWORD  imports = headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress;
    std::string  missing;
    if (imports != 0) {
        for (const auto * one = (const IMAGE_IMPORT_DESCRIPTOR *) (base + imports); one->Name != 0 && missing.empty(); one++) {
            if (!library_present(base + one->Name)) {
                missing = base + one->Name;
            }
        }
    }
    FreeLibrary(module);
    return missing;
}

#else

void library_folders_restrict() {} // nobody else looks there

#    ifdef LLAMAPACK_STATIC

bool library_present(const std::string &) {
    return false;
}

std::string library_missing(const std::string &) {
    return "";
}

#    else

#        include <dlfcn.h>

bool library_present(const std::string & name) {
    return dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL) != nullptr;
}

std::string library_missing(const std::string &) {
    return ""; // dlopen's own message names it
}

#    endif

#endif
