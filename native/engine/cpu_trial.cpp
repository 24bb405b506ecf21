#include "cpu_trial.h"

#include "child_process.h"
#include "program_path.h"

#include "ggml-backend.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <vector>

#if defined(__x86_64__)
#    include <cpuid.h>
#endif

namespace fs = std::filesystem;

static const char VARIABLE[] = "LLAMAPACK_CPU_TRIAL";
static const char WORKS[]    = "llamapack-cpu-works";

static constexpr int SECONDS = 20;
static constexpr int K       = 256; // values of a row: one block of the largest types
static constexpr int ROWS    = 32;  // repacked types take several rows at a time

static const ggml_type TYPES[] = { GGML_TYPE_F16, GGML_TYPE_Q4_0, GGML_TYPE_Q8_0, GGML_TYPE_Q4_K };

// Multiplies rows of halves with columns of ones. Returns false if the products are wrong.
static bool multiply(ggml_backend_t backend, ggml_backend_buffer_type_t place, ggml_type type, int columns) {
    ggml_context *   context = ggml_init({ 1 << 20, nullptr, true });
    ggml_tensor *    weights = ggml_new_tensor_2d(context, type, K, ROWS);
    const auto       buffer  = ggml_backend_buft_alloc_buffer(place, ggml_backend_buft_get_alloc_size(place, weights));
    ggml_backend_tensor_alloc(buffer, weights, ggml_backend_buffer_get_base(buffer));
    ggml_tensor * ones    = ggml_new_tensor_2d(context, GGML_TYPE_F32, K, columns);
    ggml_tensor * product = ggml_mul_mat(context, weights, ones);
    bool          right   = true;
    if (ggml_backend_supports_op(backend, product)) {
        const std::vector<float> halves(K * ROWS, 0.5f), values((size_t) K * columns, 1.0f);
        std::vector<char>        bytes(ggml_nbytes(weights));
        std::vector<float>       found((size_t) ROWS * columns);
        ggml_quantize_chunk(type, halves.data(), bytes.data(), 0, ROWS, K, nullptr);
        ggml_backend_tensor_set(weights, bytes.data(), 0, bytes.size());
        const auto others = ggml_backend_alloc_ctx_tensors(context, backend);
        ggml_backend_tensor_set(ones, values.data(), 0, ggml_nbytes(ones));
        ggml_cgraph * graph = ggml_new_graph(context);
        ggml_build_forward_expand(graph, product);
        right = ggml_backend_graph_compute(backend, graph) == GGML_STATUS_SUCCESS;
        ggml_backend_tensor_get(product, found.data(), 0, ggml_nbytes(product));
        for (const float one : found) {
            right = right && std::fabs(one - K / 2) < K / 50;
        }
        ggml_backend_buffer_free(others);
    }
    ggml_backend_buffer_free(buffer);
    ggml_free(context);
    return right;
}

static const char * trouble_of(const std::string & module) {
    const ggml_backend_reg_t reg = ggml_backend_load(module.c_str());
    if (!reg || ggml_backend_reg_dev_count(reg) == 0) {
        return "it cannot be loaded";
    }
    const ggml_backend_dev_t device  = ggml_backend_reg_dev_get(reg, 0);
    const ggml_backend_t     backend = ggml_backend_dev_init(device, nullptr);
    if (!backend) {
        return "it cannot be started";
    }
    std::vector<ggml_backend_buffer_type_t> places = { ggml_backend_dev_buffer_type(device) };
    const auto more = (ggml_backend_dev_get_extra_bufts_t) ggml_backend_reg_get_proc_address(reg, "ggml_backend_dev_get_extra_bufts");
    for (auto one = more ? more(device) : nullptr; one && *one; one++) { // repacked weights, and AMX
        places.push_back(*one);
    }
    for (const auto place : places) {
        for (const ggml_type type : TYPES) {
            for (const int columns : { 1, 32 }) {
                if (!multiply(backend, place, type, columns)) {
                    return "it multiplies wrongly";
                }
            }
        }
    }
    return WORKS;
}

bool cpu_trial_answer() {
    const std::string module = environment_get(VARIABLE);
    if (module.empty()) {
        return false;
    }
    printf("%s\n", trouble_of(module));
    fflush(stdout);
    return true;
}

// Names this processor, and what the modules made of it: a folder may be shared by machines.
static std::string processor_name() {
    std::string text;
#if defined(__x86_64__)
    for (unsigned leaf : { 1u, 0x80000002u, 0x80000003u, 0x80000004u }) {
        unsigned regs[4] = { 0, 0, 0, 0 };
        __get_cpuid(leaf, &regs[0], &regs[1], &regs[2], &regs[3]);
        text.append((const char *) regs, leaf == 1 ? 4 : sizeof(regs)); // the rest of leaf 1 differs by core
    }
#endif
    size_t             count = 0;
    const cpu_module * list  = cpu_modules(&count);
    for (size_t i = 0; i < count; i++) {
        text += std::string(list[i].name) + "=" + std::to_string(list[i].score) + " ";
    }
    uint64_t hash = 0xcbf29ce484222325; // FNV-1a
    for (const char c : text) {
        hash = (hash ^ (unsigned char) c) * 0x100000001b3;
    }
    char name[17];
    snprintf(name, sizeof(name), "%016llx", (unsigned long long) hash);
    return name;
}

static std::string first_line(const fs::path & path) {
    std::ifstream file(path);
    std::string   line;
    std::getline(file, line);
    return line;
}

std::string cpu_trial(const std::string & program, const cpu_module & module) {
    const fs::path  record = fs::u8path(std::string(module.path) + "." + processor_name());
    std::error_code error;
    const auto      age  = fs::file_time_type::clock::now() - fs::last_write_time(record, error);
    const auto      kept = error ? "" : first_line(record);
    if (kept == WORKS) {
        return "";
    }
    if (!kept.empty() && age < std::chrono::hours(24)) {
        return kept + ", as an earlier start found";
    }
    const child_end end = child_run(program, VARIABLE, module.path, SECONDS);
    std::string     found = end.failure.empty() ? end.output.substr(0, end.output.find_first_of("\r\n")) : end.failure;
    if (found.empty()) {
        found = "it gave no answer";
    }
    std::ofstream(record) << found << "\n"; // where nothing can be kept, each start tries it
    return found == WORKS ? "" : found;
}
