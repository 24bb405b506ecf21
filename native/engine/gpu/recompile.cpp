#include "recompile.h"

#include "compiler_run.h"
#include "gpu_card.h"
#include "gpu_module.h"
#include "gpu_probe.h"
#include "gpu_recipe.h"
#include "program_path.h"
#include "terminal.h"
#include "user_error.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>

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
    return fs::is_regular_file(library, error) ? library.u8string() : "";
}

static std::string replaced(std::string text, const std::string & mark, const std::string & by) {
    const size_t at = text.find(mark);
    return at == std::string::npos ? text : text.replace(at, mark.size(), by);
}

struct build {
    gpu_recipe  recipe;
    std::string compiler;
    std::string architecture;
    fs::path    folder; // of the result: the library and the log
    fs::path    work;   // sources and objects, removed afterwards
    std::string log;

    std::vector<std::string> words(const std::vector<std::string> & from) const {
        const std::string        toolkit = fs::u8path(compiler).parent_path().parent_path().u8string();
        std::vector<std::string> made;
        for (const std::string & one : from) {
            made.push_back(replaced(replaced(one, "{architecture}", architecture), "{toolkit}", toolkit));
        }
        return made;
    }
};

static void sources_extract(const bundle & from, const fs::path & to) {
    for (const std::string & name : from.names(SOURCES)) {
        const fs::path path = (to / fs::u8path(name.substr(SOURCES.size()))).lexically_normal();
        if (path.lexically_relative(to).u8string().rfind("..", 0) == 0) {
            throw user_error(from.path() + ": " + name + ": leads out of its folder", "do not use this file");
        }
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << from.read(name);
    }
}

static std::string first_error(const std::string & log) {
    std::ifstream file(fs::u8path(log));
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
    const bool terminal = terminal_error_is_tty();
    if (terminal || done == 0) {
        fprintf(stderr, "%scompiling %s for %s: %zu of %zu%s", terminal ? "\r" : "", of.recipe.library.c_str(),
                of.architecture.c_str(), done, of.recipe.sources.size(), terminal && done < of.recipe.sources.size() ? "" : "\n");
    }
}

static std::vector<std::string> compilation(const build & of, const std::string & source, const std::string & object) {
    std::vector<std::string> words = { of.compiler };
    const auto own = of.recipe.flags_of.find(fs::u8path(source).extension().u8string());
    if (own != of.recipe.flags_of.end()) {
        const auto flags = of.words(own->second);
        words.insert(words.end(), flags.begin(), flags.end());
    }
    const auto flags = of.words(of.recipe.flags);
    words.insert(words.end(), flags.begin(), flags.end());
    words.insert(words.end(), { "-c", source, "-o", object });
    return words;
}

// Compiles all sources, as many at once as there are processors. Returns the objects.
static std::vector<std::string> compile(const build & of) {
    const auto & sources = of.recipe.sources;

    std::vector<std::string> objects;
    for (size_t i = 0; i < sources.size(); i++) {
        objects.push_back("../" + std::to_string(i) + ".o"); // compilers run in `src`; Windows' command lines are short
    }
    std::atomic<size_t> next{ 0 }, done{ 0 };
    std::atomic<bool>   failed{ false };
    std::mutex          printing;
    const auto          work = [&]() {
        for (size_t i = next++; i < sources.size() && !failed; i = next++) {
            if (compiler_run(compilation(of, sources[i], objects[i]), (of.work / "src").u8string(), of.log) != 0) {
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
    words.insert(words.end(), { "-o", (of.folder / of.recipe.library).u8string() });
    return compiler_run(words, (of.work / "src").u8string(), of.log) == 0;
}

// Compiles, links and tries the module in of.folder. Returns what went wrong, or "".
static std::string make(const build & of, const bundle & from, const std::string & program) try {
    fs::create_directories(of.work / "src");
    sources_extract(from, of.work / "src");
    const std::vector<std::string> objects = compile(of);
    if (objects.empty() || !link(of, objects)) {
        return of.recipe.compiler + " failed: " + first_error(of.log);
    }
    const gpu_probe found = gpu_probe_run(program, (of.folder / of.recipe.library).u8string());
    return found.failure.empty() ? "" : "the new module cannot be used: " + found.failure;
} catch (const std::exception & error) { // a source is damaged, or the cache cannot be written
    return error.what();
}

static build prepare(const bundle & from, const std::string & kind) {
    build of;
    of.recipe   = gpu_recipe_read(from, kind);
    of.compiler = compiler_find(of.recipe.compiler, of.recipe.folders);
    if (of.compiler.empty()) {
        throw user_error(of.recipe.compiler + " is not installed", "install the toolkit of the card's maker, or leave --recompile away");
    }
    const auto flags = compiler_flags(kind);
    of.recipe.flags.insert(of.recipe.flags.end(), flags.begin(), flags.end());
    of.recipe.link.insert(of.recipe.link.end(), flags.begin(), flags.end());
    of.architecture = gpu_card_architecture(kind, of.recipe.folders);
    if (of.architecture.empty()) {
        throw user_error("there is no card to compile for", "LLAMAPACK_GPU_ARCHITECTURE names one, such as sm_90");
    }
    return of;
}

void recompile(const bundle & from, const std::string & kind, const std::string & program) {
#ifdef LLAMAPACK_STATIC
    throw user_error("this engine is one program that loads no modules", "start the file where glibc is, with an engine for linux-x86_64");
#endif
    build             of      = prepare(from, kind);
    const std::string version = compiler_output({ of.compiler, "--version" });
    const std::string key     = sha256_hex_of(of.recipe.text + "\n" + version + "\n" + of.architecture).substr(0, 32);
    const std::string name    = std::string(LLAMAPACK_TARGET) + "-" + kind + "-" + of.architecture + "-" + key;
    const fs::path    cache   = fs::u8path(gpu_cache());
    const fs::path    place   = cache / name;
    const std::string mine    = "." + name + "." + std::to_string(std::random_device()());

    gpu_cache_prepare();
    std::error_code error;
    if (!fs::is_regular_file(place / of.recipe.library, error)) {
        of.folder = cache / mine;
        of.work   = of.folder / "work";
        of.log    = (cache / (name + ".log")).u8string();
        fs::remove(fs::u8path(of.log), error);
        const std::string problem = make(of, from, program);
        fs::remove_all(problem.empty() ? of.work : of.folder, error);
        if (!problem.empty()) {
            const bool ran = fs::exists(fs::u8path(of.log), error);
            throw user_error(problem, ran ? "everything the compiler printed is in " + of.log
                                          : "set LLAMAPACK_CACHE to a folder that can be written and has space");
        }
        fs::rename(of.folder, place, error);
        fs::remove_all(of.folder, error);
    }
    const fs::path temporary = cache / (mine + ".pointer");
    std::ofstream(temporary) << name << "\n";
    fs::rename(temporary, pointer(of.recipe), error);
}
