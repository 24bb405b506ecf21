#include "sidecar.h"

#include <filesystem>

namespace fs = std::filesystem;

static std::string path_if_file(const fs::path & path) {
    std::error_code error;
    return fs::is_regular_file(path, error) ? path.u8string() : "";
}

// What lies beside the bundle under its own name with another ending.
static std::string renamed(const std::string & bundle, const char * ending) {
    const fs::path    own       = fs::u8path(bundle);
    const std::string extension = own.extension().u8string();
    // The ".5" of "gemma-2.5" is no ending.
    const bool     has_ending = extension == ".exe" || extension == ".EXE" || extension == ".llamafile";
    const fs::path name       = has_ending ? own.stem() : own.filename();
    const fs::path other      = own.parent_path() / fs::u8path(name.u8string() + ending);
    return other == own ? "" : path_if_file(other);
}

std::string sidecar_bundle(const std::string & bundle) {
    const std::string usual = renamed(bundle, ".llamafile");
    return usual.empty() ? renamed(bundle, "") : usual; // a bundle may be called as its maker likes
}

std::string sidecar_weights(const std::string & bundle) {
    return renamed(bundle, ".gguf");
}

std::string sidecar_file(const std::string & bundle, const std::string & name) {
    const fs::path relative = fs::u8path(name);
    return relative.empty() || relative.has_parent_path() ? "" : path_if_file(fs::u8path(bundle).parent_path() / relative);
}
