#include "gpu_recipe.h"

#include "program_path.h"
#include "user_error.h"

#include <nlohmann/json.hpp>

#if defined(_WIN32)
static const std::string SYSTEM = "windows";
#elif defined(__APPLE__)
static const std::string SYSTEM = "macos";
#elif defined(__linux__)
static const std::string SYSTEM = "linux";
#else
static const std::string SYSTEM = "none"; // ggml has no loadable modules there
#endif

static std::string member(const std::string & kind) {
    return "gpu-sources/" + SYSTEM + "/" + kind + ".json";
}

// "${NAME}/bin" with the variable's value, or "" where it is not set.
static std::string folder_expanded(const std::string & folder) {
    const size_t end = folder.find('}');
    if (folder.rfind("${", 0) != 0 || end == std::string::npos) {
        return folder;
    }
    const std::string value = environment_get(folder.substr(2, end - 2).c_str());
    return value.empty() ? "" : value + folder.substr(end + 1);
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
        for (const std::string folder : json.at("folders")) {
            recipe.folders.push_back(folder_expanded(folder));
        }
        json.at("library").get_to(recipe.library);
        json.at("flags").get_to(recipe.flags);
        json.at("flags_of").get_to(recipe.flags_of);
        json.at("link").get_to(recipe.link);
        json.at("sources").get_to(recipe.sources);
    } catch (const nlohmann::json::exception & error) {
        throw user_error(from.path() + ": " + member(kind) + ": " + error.what(), "pack the file again");
    }
    return recipe;
}
