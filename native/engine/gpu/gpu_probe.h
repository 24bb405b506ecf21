// Tries a GPU module in a process of its own, so that a driver that crashes takes nothing along.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct gpu_device {
    std::string name;        // as --device takes it, such as "Vulkan0"
    std::string description; // such as "NVIDIA H200"
    uint64_t    free;        // bytes of its memory
    uint64_t    total;
};

struct gpu_probe {
    std::vector<gpu_device> devices;
    std::string             failure; // why there are none, or ""
    bool                    loaded = false;
};

// `program` is this engine, `module` the path of the module's library.
gpu_probe gpu_probe_run(const std::string & program, const std::string & module);

// In the child, at the start of main(): true if it was one; then the process should end with status 0.
bool gpu_probe_answer();
