#include "gpu_probe.h"

#include "child_process.h"
#include "dynamic_library.h"
#include "gpu_load.h"
#include "program_path.h"

#include "ggml-backend.h"

#include <cinttypes>
#include <cstdio>
#include <sstream>

static const char VARIABLE[] = "LLAMAPACK_GPU_PROBE";

// Begins each line that is ours: drivers write to stdout too.
static const std::string DEVICE  = "llamapack-gpu-device\t";
static const std::string FAILURE = "llamapack-gpu-failure\t";
static const std::string LOADED  = "llamapack-gpu-loaded\t";

static constexpr int SECONDS = 60; // the first start of a driver may compile

static std::string & last_error() {
    static std::string text;
    return text;
}

static void log_keep(ggml_log_level level, const char * text, void *) {
    if (level == GGML_LOG_LEVEL_ERROR) {
        last_error() = text;
    }
}

// What the last error says behind `introduction`; `otherwise` if it does not hold it, or nothing behind it.
static std::string cause(const std::string & introduction, const std::string & otherwise) {
    const size_t place = last_error().find(introduction);
    if (place == std::string::npos) {
        return otherwise;
    }
    std::string text = last_error().substr(place + introduction.size());
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
        text.pop_back();
    }
    return text.empty() ? otherwise : text;
}

static void print_failure(const std::string & text) {
    printf("%s%s\n", FAILURE.c_str(), text.c_str());
}

bool gpu_probe_answer() {
    const std::string module = environment_get(VARIABLE);
    if (module.empty()) {
        return false;
    }
    ggml_log_set(log_keep, nullptr);
    const std::string missing = library_missing(module);
    if (!missing.empty()) {
        print_failure(missing + " is not installed");
        return true;
    }
    const ggml_backend_reg_t backend = gpu_load(module);
    if (!backend) {
        // "load_backend: failed to load /a/b.so: libcublas.so.13: cannot open shared object file"
        print_failure(cause(module + ": ", "it cannot be loaded"));
        return true;
    }
    printf("%s\n", LOADED.c_str());
    const size_t count = ggml_backend_reg_dev_count(backend);
    if (count == 0) {
        // "ggml_cuda_init: failed to initialize CUDA: CUDA driver version is insufficient for CUDA runtime version"
        print_failure(cause("ggml_cuda_init: ", "it finds no device"));
    }
    for (size_t i = 0; i < count; i++) {
        const ggml_backend_dev_t device = ggml_backend_reg_dev_get(backend, i);
        size_t free = 0, total = 0;
        ggml_backend_dev_memory(device, &free, &total);
        printf("%s%s\t%" PRIu64 "\t%" PRIu64 "\t%s\n", DEVICE.c_str(), ggml_backend_dev_name(device),
               (uint64_t) free, (uint64_t) total, ggml_backend_dev_description(device));
    }
    fflush(stdout);
    return true;
}

gpu_probe gpu_probe_run(const std::string & program, const std::string & module) {
    gpu_probe       found;
    const child_end end = child_run(program, VARIABLE, module, SECONDS);
    std::istringstream lines(end.output);
    std::string        line;
    while (std::getline(lines, line)) {
        if (!line.empty() && line.back() == '\r') {
            line.pop_back();
        }
        if (line.rfind(FAILURE, 0) == 0) {
            found.failure = line.substr(FAILURE.size());
        } else if (line == LOADED) {
            found.loaded = true;
        } else if (line.rfind(DEVICE, 0) == 0) {
            std::istringstream fields(line.substr(DEVICE.size()));
            gpu_device         device{};
            std::getline(fields, device.name, '\t');
            fields >> device.free >> device.total;
            fields.ignore();
            std::getline(fields, device.description);
            found.devices.push_back(device);
        }
    }
    if (!end.failure.empty()) {
        found.devices.clear();
        found.failure = end.failure;
    } else if (found.devices.empty() && found.failure.empty()) {
        found.failure = "it gave no answer";
    }
    return found;
}
