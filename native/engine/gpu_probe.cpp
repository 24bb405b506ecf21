#include "gpu_probe.h"

#include "child_process.h"
#include "dynamic_library.h"
#include "program_path.h"

#include "ggml-backend.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <sstream>

static const char VARIABLE[] = "LLAMAPACK_GPU_PROBE";

// Begins each line that is ours: drivers write to stdout too.
static const std::string DEVICE  = "llamapack-gpu-device\t";
static const std::string FAILURE = "llamapack-gpu-failure\t";

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

// "libcublas.so.13: cannot open shared object file" of "load_backend: failed to load /a/b.so: libcublas…"
static std::string cause(const std::string & module) {
    std::string  text = last_error();
    const size_t path = text.find(module);
    if (path != std::string::npos) {
        text = text.substr(std::min(text.size(), path + module.size() + 2));
    }
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
        text.pop_back();
    }
    return text.empty() ? "it cannot be loaded" : text;
}

bool gpu_probe_answer() {
    const std::string module = environment_get(VARIABLE);
    if (module.empty()) {
        return false;
    }
    ggml_log_set(log_keep, nullptr);
    const std::string missing = library_missing(module);
    if (!missing.empty()) {
        printf("%s%s is not installed\n", FAILURE.c_str(), missing.c_str());
        return true;
    }
    const ggml_backend_reg_t backend = ggml_backend_load(module.c_str());
    if (!backend) {
        printf("%s%s\n", FAILURE.c_str(), cause(module).c_str());
        return true;
    }
    for (size_t i = 0; i < ggml_backend_reg_dev_count(backend); i++) {
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
        found.failure = "it finds no device";
    }
    return found;
}
