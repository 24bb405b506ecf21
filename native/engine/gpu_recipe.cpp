#include "gpu_recipe.h"

#include "user_error.h"

#include <nlohmann/json.hpp>

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
