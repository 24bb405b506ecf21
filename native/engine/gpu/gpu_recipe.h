// How a GPU module is compiled: the member `gpu-sources/SYSTEM/KIND.json` of a bundle. The sources lie in
// `gpu-sources/src/`, and all paths in a recipe count from there.
#pragma once

#include "bundle.h"

#include <map>
#include <string>
#include <vector>

struct gpu_recipe {
    std::string              kind;
    std::string              text;     // the member itself
    std::string              compiler; // name of the program, such as "nvcc"
    std::vector<std::string> folders;  // where it lies if PATH does not say
    std::string              library;  // file name of the result
    std::vector<std::string> flags;    // of each compilation; {architecture} is the card's
    std::map<std::string, std::vector<std::string>> flags_of; // in front of those, by suffix such as ".m"
    std::vector<std::string> link;     // of the last step; {toolkit} is the compiler's folder less bin/
    std::vector<std::string> sources;
};

bool gpu_recipe_has(const bundle & from, const std::string & kind);

// Throws user_error if there is none or it cannot be read.
gpu_recipe gpu_recipe_read(const bundle & from, const std::string & kind);
