// Our ggml_backend_load_all. Upstream's looks for modules beside the program and in the current
// directory, and llama.cpp calls it while it parses arguments: a libggml-cpu-*.so that somebody
// left in a download folder would run.

#include "module_dir.h"

#include "ggml-backend.h"
#include "ggml-backend-dl.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#ifdef _WIN32
static const std::string PREFIX = "ggml-cpu";
static const std::string SUFFIX = ".dll";
#else
static const std::string PREFIX = "libggml-cpu";
static const std::string SUFFIX = ".so";
#endif

struct found_module {
    std::string name;
    std::string path;
    std::string trouble;
    int         score;
};

static std::string & module_dir() {
    static std::string path;
    return path;
}

static std::string & cpu_path() {
    static std::string path;
    return path;
}

void module_dir_set(const char * path) {
    module_dir() = path;
}

const char * module_dir_get() {
    return module_dir().c_str();
}

// Asks the module itself. Of the baseline, which runs on every processor of its architecture, it is known.
static found_module module_ask(const std::string & name, const std::string & path) {
    if (name.empty()) {
        return { "baseline", path, "", 1 };
    }
    const dl_handle_ptr handle{ dl_load_library(fs::u8path(path)) };
    if (!handle) {
        return { name, path, std::string("it cannot be loaded: ") + dl_error(), 0 };
    }
    const auto score   = (int (*)()) dl_get_sym(handle.get(), "ggml_backend_score");
    const int  value   = score ? score() : 0;
    const auto trouble = (const char * (*) ()) dl_get_sym(handle.get(), "cpu_trouble");
    return { name, path, value != 0 ? "" : trouble ? trouble() : "the processor lacks instructions that it is compiled for", value };
}

// "libggml-cpu-haswell.so" is "haswell", "libggml-cpu.so" is "". Returns false for other files.
static bool module_name(const std::string & file, std::string & name) {
    const size_t around = PREFIX.size() + SUFFIX.size();
    if (file.size() < around || file.rfind(PREFIX, 0) != 0 || file.compare(file.size() - SUFFIX.size(), SUFFIX.size(), SUFFIX) != 0) {
        return false;
    }
    name = file.substr(PREFIX.size(), file.size() - around);
    if (name.empty()) {
        return true;
    }
    const bool is_variant = name[0] == '-';
    name.erase(0, 1);
    return is_variant;
}

static std::vector<found_module> modules_find() {
    std::vector<found_module> found;
    std::error_code           error;
    for (fs::directory_iterator one(fs::u8path(module_dir()), error), end; !error && one != end; one.increment(error)) {
        std::string name;
        if (module_name(one->path().filename().u8string(), name)) {
            found.push_back(module_ask(name, one->path().u8string()));
        }
    }
    std::sort(found.begin(), found.end(), [](const found_module & a, const found_module & b) {
        return a.score != b.score ? a.score > b.score : a.name < b.name;
    });
    return found;
}

const cpu_module * cpu_modules(size_t * count) {
    static const std::vector<found_module> found = ggml_backend_reg_count() == 0 ? modules_find() : std::vector<found_module>();
    static std::vector<cpu_module>         list;
    if (list.empty()) {
        for (const found_module & one : found) {
            list.push_back({ one.name.c_str(), one.path.c_str(), one.trouble.c_str(), one.score });
        }
    }
    *count = list.size();
    return list.data();
}

void cpu_module_set(const cpu_module * module) {
    cpu_path() = module->path;
}

void ggml_backend_load_all() {
    if (ggml_backend_reg_count() == 0 && !cpu_path().empty()) {
        ggml_backend_load(cpu_path().c_str());
    }
}
