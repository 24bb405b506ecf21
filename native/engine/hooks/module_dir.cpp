// Our ggml_backend_load_all. Upstream's looks for modules beside the program and in the current
// directory, and llama.cpp calls it while it parses arguments: a libggml-cpu-*.so that somebody
// left in a download folder would run.

#include "module_dir.h"

#include "ggml-backend.h"

#include <string>

static std::string & module_dir() {
    static std::string path;
    return path;
}

void module_dir_set(const char * path) {
    module_dir() = path;
}

const char * module_dir_get() {
    return module_dir().c_str();
}

void ggml_backend_load_all() {
    if (ggml_backend_reg_count() == 0 && !module_dir().empty()) {
        ggml_backend_load_all_from_path(module_dir().c_str());
    }
}
