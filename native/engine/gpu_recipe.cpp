#include "gpu_recipe.h"

#include "compiler_run.h"
#include "program_path.h"
#include "user_error.h"

#include <nlohmann/json.hpp>

#include <algorithm>

static std::string member(const std::string & kind) {
    return "gpu-sources/" + kind + ".json";
}

bool gpu_recipe_has(const bundle & from, const std::string & kind) {
    return from.has(member(kind));
}

gpu_recipe gpu_recipe_read(const bundle & from, const std::string & kind) {
    gpu_recipe recipe;
    recipe.kind = kind;
    recipe.text = from.read(member(kind));
    try {
        const auto json = nlohmann::json::parse(recipe.text);
        json.at("compiler").get_to(recipe.compiler);
        json.at("folders").get_to(recipe.folders);
        json.at("library").get_to(recipe.library);
        json.at("flags").get_to(recipe.flags);
        json.at("link").get_to(recipe.link);
        json.at("sources").get_to(recipe.sources);
    } catch (const nlohmann::json::exception & error) {
        throw user_error(from.path() + ": " + member(kind) + ": " + error.what(), "pack the file again");
    }
    return recipe;
}

static std::string first_line(const std::string & text) {
    return text.substr(0, text.find_first_of("\r\n"));
}

std::string gpu_architecture(const std::string & kind) {
    const std::string given = environment_get("LLAMAPACK_GPU_ARCHITECTURE");
    if (!given.empty()) {
        return given;
    }
    if (kind == "cuda") {
        const std::string program = compiler_find("nvidia-smi", { "/usr/bin" });
        std::string       version = program.empty() ? "" : first_line(compiler_output({ program, "--query-gpu=compute_cap", "--format=csv,noheader" }));
        version.erase(std::remove(version.begin(), version.end(), '.'), version.end());
        // Upstream compiles for "120a" where the card is a "120": its FP4 instructions exist only there.
        return version.empty() ? "" : "sm_" + version + (version.size() == 3 && version[0] == '1' && version[1] == '2' ? "a" : "");
    }
    if (kind == "hip") {
        const std::string program = compiler_find("amdgpu-arch", { "/opt/rocm/bin", "/opt/rocm/llvm/bin" });
        return program.empty() ? "" : first_line(compiler_output({ program }));
    }
    return "native"; // a Mac has one kind of GPU
}
