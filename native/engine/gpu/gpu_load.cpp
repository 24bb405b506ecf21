#include "gpu_load.h"

#if defined(__APPLE__)
#    include "ggml-backend-impl.h"

#    include <dlfcn.h>

// Upstream's own build of Metal is a library to be linked with, not a module: it lacks the function that
// ggml_backend_load calls, and has one that gives the same.
static ggml_backend_reg_t load_linked_kind(const std::string & path) {
    void * library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        return nullptr;
    }
    const auto         metal = (ggml_backend_reg_t (*)()) dlsym(library, "ggml_backend_metal_reg");
    ggml_backend_reg_t reg   = metal && !dlsym(library, "ggml_backend_init") ? metal() : nullptr;
    if (!reg || reg->api_version != GGML_BACKEND_API_VERSION) {
        dlclose(library);
        return nullptr;
    }
    ggml_backend_register(reg);
    return reg;
}
#endif

ggml_backend_reg_t gpu_load(const std::string & path) {
#if defined(__APPLE__)
    if (ggml_backend_reg_t reg = load_linked_kind(path)) {
        return reg;
    }
#endif
    return ggml_backend_load(path.c_str()); // which says why, if this fails
}
