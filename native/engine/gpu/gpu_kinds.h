// The GPU backends that ggml has loadable modules for.
#pragma once

#include <string>
#include <vector>

struct gpu_kind {
    std::string name;   // as in the bundle's paths and in --gpu, such as "cuda"
    std::string title;  // for people, such as "CUDA"
    std::string driver; // the library that the card's driver brings, or "" if the system has it always
    std::string remedy; // what to do where it is missing
};

// The kinds that this system can have, fastest first.
const std::vector<gpu_kind> & gpu_kinds();

// Whether a device of that description is meant by a word of --gpu: "nvidia", "amd", "intel", "apple".
bool gpu_is_from(const std::string & vendor, const std::string & description);

// Whether it is no GPU, but a program that pretends to be one: slower than the CPU backend.
bool gpu_is_software(const std::string & description);
