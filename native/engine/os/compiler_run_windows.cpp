#ifdef _WIN32

#include "compiler_run.h"

#include "process_windows.h"
#include "program_path.h"
#include "user_error.h"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace fs = std::filesystem;

std::string compiler_find(const std::string & name, const std::vector<std::string> & folders) {
    std::vector<std::string> places;
    std::istringstream       path(environment_get("PATH"));
    std::string              place;
    while (std::getline(path, place, ';')) {
        places.push_back(place);
    }
    places.insert(places.end(), folders.begin(), folders.end());
    for (const std::string & one : places) {
        const fs::path  file = fs::u8path(one) / fs::u8path(name + ".exe");
        std::error_code error;
        if (file.is_absolute() && fs::is_regular_file(file, error)) {
            return file.u8string();
        }
    }
    return "";
}

std::string compiler_output(const std::vector<std::string> & words) {
    process_pipe pipe;
    if (!process_pipe_open(pipe)) {
        return "";
    }
    const HANDLE process = process_start(words, "", pipe.in, nullptr);
    CloseHandle(pipe.in);
    const std::string text = process_pipe_read(pipe.out);
    CloseHandle(pipe.out);
    return process && process_end(process) == 0 ? text : "";
}

int compiler_run(const std::vector<std::string> & words, const std::string & folder, const std::string & log) {
    SECURITY_ATTRIBUTES inherited = { sizeof(inherited), nullptr, TRUE };
    HANDLE out = CreateFileW(fs::u8path(log).c_str(), FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                             &inherited, OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr);
    if (out == INVALID_HANDLE_VALUE) {
        return -1;
    }
    const HANDLE process = process_start(words, folder, out, out);
    CloseHandle(out);
    return process ? (int) process_end(process) : -1;
}

// Where Visual Studio keeps cl.exe for this machine, or "".
// Source: Microsoft's documentation of vswhere and of Microsoft.VCToolsVersion.default.txt.
static fs::path visual_studio_compiler() {
    const fs::path finder = fs::u8path(environment_get("ProgramFiles(x86)")) / "Microsoft Visual Studio/Installer/vswhere.exe";
    std::string    place  = compiler_output({ finder.u8string(), "-latest", "-products", "*", "-requires",
                                              "Microsoft.VisualStudio.Component.VC.Tools.x86.x64", "-utf8", "-property", "installationPath" });
    place.resize(std::min(place.size(), place.find_first_of("\r\n")));
    const fs::path tools = fs::u8path(place) / "VC";
    std::ifstream  file(tools / "Auxiliary/Build/Microsoft.VCToolsVersion.default.txt");
    std::string    version;
    file >> version;
    const fs::path  folder = tools / "Tools/MSVC" / version / "bin/Hostx64/x64";
    std::error_code error;
    return fs::is_regular_file(folder / "cl.exe", error) ? folder : fs::path();
}

std::vector<std::string> compiler_flags(const std::string & kind) {
    if (kind != "cuda" || !compiler_find("cl", {}).empty()) {
        return {};
    }
    const fs::path folder = visual_studio_compiler();
    if (folder.empty()) {
        throw user_error("nvcc needs Microsoft's C++ compiler, which is not installed",
                         "install Visual Studio's Build Tools with `Desktop development with C++`");
    }
    return { "-ccbin", folder.u8string() };
}

#endif
