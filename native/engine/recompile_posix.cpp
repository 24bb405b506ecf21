#ifndef _WIN32

#include "recompile.h"

#include "compiler_run.h"
#include "gpu_module.h"
#include "gpu_probe.h"
#include "gpu_recipe.h"
#include "program_path.h"
#include "user_error.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include <unistd.h>

namespace fs = std::filesystem;

static const std::string SOURCES = "gpu-sources/src/";

// Names, in the cache, which build belongs to a recipe: a later start asks no compiler.
static fs::path pointer(const gpu_recipe & recipe) {
    return fs::u8path(gpu_cache()) / (std::string(LLAMAPACK_TARGET) + "-" + recipe.kind + "-" + sha256_hex_of(recipe.text).substr(0, 32) + ".recompiled");
}

std::string recompiled(const bundle & from, const std::string & kind) {
    if (!gpu_recipe_has(from, kind)) {
        return "";
    }
    const gpu_recipe recipe = gpu_recipe_read(from, kind);
    std::ifstream    file(pointer(recipe));
    std::string      folder;
    if (!std::getline(file, folder) || folder.find('/') != std::string::npos) {
        return "";
    }
    const fs::path  library = fs::u8path(gpu_cache()) / folder / recipe.library;
    std::error_code error;
    return fs::is_regular_file(library, error) ? library.string() : "";
}

static std::string replaced(std::string text, const std::string & mark, const std::string & by) {
    const size_t at = text.find(mark);
    return at == std::string::npos ? text : text.replace(at, mark.size(), by);
}

static std::string first_line(const std::string & text) {
    return text.substr(0, text.find_first_of("\r\n"));
}

// What the compiler calls this machine's card, such as "sm_90"; "" if there is none.
// LLAMAPACK_GPU_ARCHITECTURE says it where the machine that builds has no card.
static std::string architecture_find(const std::string & kind) {
    const std::string given = environment_get("LLAMAPACK_GPU_ARCHITECTURE");
    if (!given.empty()) {
        return given;
    }
    if (kind == "cuda") {
        const std::string program = compiler_find("nvidia-smi", { "/usr/bin" });
        std::string       version = program.empty() ? "" : first_line(compiler_output({ program, "--query-gpu=compute_cap", "--format=csv,noheader" }));
        version.erase(std::remove(version.begin(), version.end(), '.'), version.end());
        // Upstream compiles for "120a" where the card is a "120": its FP4 instructions exist only there.
        return version.empty() ? "" : "sm_" + version + (version.size() == 3 && version[0] == '1' && version[1] == '2' ? "a" : "");
    }
    if (kind == "hip") {
        const std::string program = compiler_find("amdgpu-arch", { "/opt/rocm/bin", "/opt/rocm/llvm/bin" });
        return program.empty() ? "" : first_line(compiler_output({ program }));
    }
    return "native"; // a Mac has one kind of GPU
}

struct build {
    gpu_recipe  recipe;
    std::string compiler;
    std::string architecture;
    fs::path    folder; // of the result: the library and the log
    fs::path    work;   // sources and objects, removed afterwards
    std::string log;

    std::vector<std::string> words(const std::vector<std::string> & from) const {
        const std::string        toolkit = fs::path(compiler).parent_path().parent_path().string();
        std::vector<std::string> made;
        for (const std::string & one : from) {
            made.push_back(replaced(replaced(one, "{architecture}", architecture), "{toolkit}", toolkit));
        }
        return made;
    }
};

static void sources_extract(const bundle & from, const fs::path & to) {
    for (const std::string & name : from.names(SOURCES)) {
        const fs::path path = to / fs::u8path(name.substr(SOURCES.size())).lexically_normal();
        if (path.lexically_relative(to).string().rfind("..", 0) == 0) {
            throw user_error(from.path() + ": " + name + ": leads out of its folder", "do not use this file");
        }
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << from.read(name);
    }
}

static std::string first_error(const std::string & log) {
    std::ifstream file(log);
    std::string   line, last;
    while (std::getline(file, line)) {
        if (line.find("error") != std::string::npos) {
            return line;
        }
        last = line.empty() ? last : line;
    }
    return last;
}

static void progress(const build & of, size_t done) {
    const bool terminal = isatty(STDERR_FILENO);
    if (terminal || done == 0) {
        fprintf(stderr, "%scompiling %s for %s: %zu of %zu%s", terminal ? "\r" : "", of.recipe.library.c_str(),
                of.architecture.c_str(), done, of.recipe.sources.size(), terminal && done < of.recipe.sources.size() ? "" : "\n");
    }
}

// Compiles all sources, as many at once as there are processors. Returns the objects.
static std::vector<std::string> compile(const build & of) {
    const auto & sources = of.recipe.sources;
    const auto   flags   = of.words(of.recipe.flags);

    std::vector<std::string> objects;
    for (size_t i = 0; i < sources.size(); i++) {
        objects.push_back((of.work / (std::to_string(i) + ".o")).string());
    }
    std::atomic<size_t> next{ 0 }, done{ 0 };
    std::atomic<bool>   failed{ false };
    std::mutex          printing;
    const auto          work = [&]() {
        for (size_t i = next++; i < sources.size() && !failed; i = next++) {
            std::vector<std::string> words = { of.compiler };
            words.insert(words.end(), flags.begin(), flags.end());
            words.insert(words.end(), { "-c", sources[i], "-o", objects[i] });
            if (compiler_run(words, (of.work / "src").string(), of.log) != 0) {
                failed = true;
            }
            const std::lock_guard<std::mutex> lock(printing);
            progress(of, ++done);
        }
    };
    progress(of, 0);
    std::vector<std::thread> threads;
    const size_t             count = std::min<size_t>({ std::max(1u, std::thread::hardware_concurrency()), sources.size(), 16 });
    for (size_t i = 0; i < count; i++) {
        threads.emplace_back(work);
    }
    for (std::thread & thread : threads) {
        thread.join();
    }
    return failed ? std::vector<std::string>() : objects;
}

static bool link(const build & of, const std::vector<std::string> & objects) {
    std::vector<std::string> words = { of.compiler };
    words.insert(words.end(), objects.begin(), objects.end());
    words.push_back(gpu_base_library());
    const auto flags = of.words(of.recipe.link);
    words.insert(words.end(), flags.begin(), flags.end());
    words.insert(words.end(), { "-o", (of.folder / of.recipe.library).string() });
    return compiler_run(words, (of.work / "src").string(), of.log) == 0;
}

void recompile(const bundle & from, const std::string & kind, const std::string & program) {
    build of;
    of.recipe       = gpu_recipe_read(from, kind);
    of.compiler     = compiler_find(of.recipe.compiler, of.recipe.folders);
    of.architecture = architecture_find(kind);
    if (of.compiler.empty()) {
        throw user_error(of.recipe.compiler + " is not installed", "install the toolkit of the card's maker, or leave --recompile away");
    }
    if (of.architecture.empty()) {
        throw user_error("there is no card to compile for", "LLAMAPACK_GPU_ARCHITECTURE names one, such as sm_90");
    }
    const std::string version = compiler_output({ of.compiler, "--version" });
    const std::string key     = sha256_hex_of(of.recipe.text + "\n" + version + "\n" + of.architecture).substr(0, 32);
    const std::string name    = std::string(LLAMAPACK_TARGET) + "-" + kind + "-" + of.architecture + "-" + key;
    const fs::path    cache   = fs::u8path(gpu_cache());
    const fs::path    place   = cache / name;

    std::error_code error;
    fs::create_directories(cache, error);
    if (!fs::is_regular_file(place / of.recipe.library, error)) {
        of.folder = cache / ("." + name + "." + std::to_string(getpid()));
        of.work   = of.folder / "work";
        of.log    = (cache / (name + ".log")).string();
        fs::remove(of.log, error);
        fs::create_directories(of.work / "src");
        sources_extract(from, of.work / "src");
        const std::vector<std::string> objects = compile(of);
        std::string                    problem;
        if (objects.empty() || !link(of, objects)) {
            problem = of.recipe.compiler + " failed: " + first_error(of.log);
        } else {
            const gpu_probe found = gpu_probe_run(program, (of.folder / of.recipe.library).string());
            problem               = found.failure.empty() ? "" : "the new module cannot be used: " + found.failure;
        }
        fs::remove_all(problem.empty() ? of.work : of.folder, error);
        if (!problem.empty()) {
            throw user_error(problem, "everything the compiler printed is in " + of.log);
        }
        fs::rename(of.folder, place, error);
        fs::remove_all(of.folder, error);
    }
    const fs::path temporary = cache / ("." + name + ".pointer");
    std::ofstream(temporary) << name << "\n";
    fs::rename(temporary, pointer(of.recipe), error);
}

#endif
