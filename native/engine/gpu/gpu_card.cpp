#include "gpu_card.h"

#include "compiler_run.h"
#include "program_path.h"

#include <algorithm>

static std::string first_line(const std::string & text) {
    return text.substr(0, text.find_first_of("\r\n"));
}

static std::string nvidia_architecture() {
    const std::string program = compiler_find("nvidia-smi", { "/usr/bin", "C:/Windows/System32" });
    std::string       version = program.empty() ? "" : first_line(compiler_output({ program, "--query-gpu=compute_cap", "--format=csv,noheader" }));
    version.erase(std::remove(version.begin(), version.end(), '.'), version.end());
    // Upstream compiles for "120a" where the card is a "120": its FP4 instructions exist only there.
    return version.empty() ? "" : "sm_" + version + (version.size() == 3 && version[0] == '1' && version[1] == '2' ? "a" : "");
}

static std::string amd_architecture(const std::vector<std::string> & folders) {
    std::vector<std::string> places = folders;
    places.push_back("/opt/rocm/llvm/bin");
    const std::string program = compiler_find("amdgpu-arch", places);
    const std::string name    = program.empty() ? "" : first_line(compiler_output({ program }));
    if (!name.empty()) {
        return name;
    }
    // Older SDKs for Windows have only this one, which prints "gcnArchName: gfx1100" among other lines.
    const std::string older = compiler_find("hipInfo", places);
    const std::string text  = older.empty() ? "" : compiler_output({ older });
    const size_t      at    = text.find("gfx", text.find("gcnArchName"));
    return at == std::string::npos ? "" : text.substr(at, text.find_first_of(": \r\n", at) - at);
}

std::string gpu_card_architecture(const std::string & kind, const std::vector<std::string> & folders) {
    const std::string given = environment_get("LLAMAPACK_GPU_ARCHITECTURE");
    if (!given.empty()) {
        return given;
    }
    return kind == "cuda" ? nvidia_architecture()
         : kind == "hip"  ? amd_architecture(folders)
                          : "native"; // a Mac has one kind of GPU
}
