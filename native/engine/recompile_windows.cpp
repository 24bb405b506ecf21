#ifdef _WIN32

#include "recompile.h"

#include "user_error.h"

void recompile(const bundle &, const std::string &, const std::string &) {
    throw user_error("this release cannot compile modules on Windows", "use the modules in the file: --gpu vulkan");
}

std::string recompiled(const bundle &, const std::string &) {
    return "";
}

#endif
