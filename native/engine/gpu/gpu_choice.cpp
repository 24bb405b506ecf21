#include "gpu_choice.h"

#include "dynamic_library.h"
#include "gpu_kinds.h"
#include "gpu_load.h"
#include "gpu_module.h"
#include "gpu_probe.h"
#include "gpu_recipe.h"
#include "gpu_report.h"
#include "recompile.h"
#include "user_error.h"

#include "ggml-backend.h"

#include <algorithm>
#include <cstdio>

static const std::vector<std::string> WORDS = { "auto", "disable", "nvidia", "amd", "apple", "intel", "cuda", "hip", "metal", "vulkan" };

static bool is_vendor(const std::string & word) {
    return word == "nvidia" || word == "amd" || word == "intel" || word == "apple";
}

// Whether modules of a kind can serve what --gpu asks for.
static bool serves(const std::string & kind, const std::string & word) {
    if (!is_vendor(word)) {
        return word == "auto" || word == kind;
    }
    return kind == "vulkan" ? word != "apple"
         : kind == "cuda"   ? word == "nvidia"
         : kind == "hip"    ? word == "amd"
                            : word == "apple";
}

// Of the devices found those that --gpu means. What pretends to be a GPU must be asked for by its kind.
static std::vector<gpu_device> devices_meant(const std::vector<gpu_device> & found, const std::string & word) {
    std::vector<gpu_device> meant;
    for (const gpu_device & device : found) {
        if (is_vendor(word) ? gpu_is_from(word, device.description) : word != "auto" || !gpu_is_software(device.description)) {
            meant.push_back(device);
        }
    }
    return meant;
}

static std::string & chosen() {
    static std::string module; // path, "" for none
    return module;
}

struct attempt {
    std::string             module; // path, "" if it failed
    std::vector<gpu_device> devices;
    bool                    all_meant  = false;
    bool                    has_driver = true;
    std::string             failure;
    std::string             remedy;
};

// `own` is the library that was compiled here, or "".
static attempt attempt_kind(const gpu_kind & kind, const std::string & own, const std::string & word, const bundle & from, const std::string & program) {
    attempt made;
    if (!kind.driver.empty() && !library_present(kind.driver)) {
        made.failure    = "no " + kind.title + " driver (" + kind.driver + " is not installed)";
        made.remedy     = kind.remedy;
        made.has_driver = false;
        return made;
    }
    const std::string path  = own.empty() ? gpu_module_install(from, kind.name) : own;
    gpu_probe         found = gpu_probe_run(program, path);
    if (!found.loaded && own.empty() && gpu_module_mend(from, kind.name)) {
        found = gpu_probe_run(program, path);
    }
    made.devices            = devices_meant(found.devices, word);
    made.all_meant          = made.devices.size() == found.devices.size();
    if (!made.devices.empty()) {
        made.module = path;
    } else if (!found.failure.empty()) {
        made.failure = "the " + kind.title + " module cannot be used: " + found.failure;
        made.remedy  = "see that the driver is installed and not too old";
    } else {
        made.failure = kind.title + " finds " + found.devices.front().description + " only";
    }
    return made;
}

// `instead_of` says what would have been taken before it, had it worked, or is "".
static void use(const gpu_kind & kind, const attempt & made, const std::string & instead_of, options & opts) {
    std::string names, descriptions;
    for (const gpu_device & device : made.devices) {
        names += (names.empty() ? "" : ",") + device.name;
        descriptions += (descriptions.empty() ? "" : ", ") + device.description;
    }
    if (!made.all_meant && !opts.find("--device")) {
        opts.add("--device", names);
    }
    chosen() = made.module;
    gpu_report_set(descriptions + " through " + kind.title + (instead_of.empty() ? "" : " (" + instead_of + ")"));
}

static bool wants_no_layers(const options & opts) {
    return opts.value("--n-gpu-layers") == "0" || opts.value("--device") == "none";
}

// Upstream, which would refuse other words, does not see the option where no GPU is used.
static void check_layers(const options & opts) {
    const std::string text   = opts.value("--n-gpu-layers");
    const std::string number = text.rfind('-', 0) == 0 ? text.substr(1) : text;
    if (opts.find("--n-gpu-layers") && text != "auto" && text != "all" &&
        (number.empty() || number.find_first_not_of("0123456789") != std::string::npos)) {
        throw user_error("-ngl " + text + ": neither a number of layers, auto nor all", "-ngl all puts all layers on the GPU");
    }
}

// Builds what --recompile asks for. A module that cannot be built leaves the old one in use.
static void recompile_asked(const options & opts, const std::string & word, const bundle & from, const std::string & program) {
    if (!opts.recompile || opts.no_compile) {
        return;
    }
    std::string why, tip;
    for (const gpu_kind & kind : gpu_kinds()) {
        if (!serves(kind.name, word) || !gpu_recipe_has(from, kind.name)) {
            continue;
        }
        try {
            recompile(from, kind.name, program);
            return;
        } catch (const user_error & error) {
            why += (why.empty() ? "" : "; ") + std::string(error.what());
            tip = tip.empty() ? error.tip : tip;
        }
    }
    if (why.empty()) {
        why = std::string("this file has no GPU sources for ") + LLAMAPACK_TARGET;
        tip = "pack it with `--gpu-sources yes`";
    }
    fprintf(stderr, "NOTE --recompile: %s. What there was stays in use\nTIP %s\n", why.c_str(), tip.c_str());
}

void gpu_choose(options & opts, const bundle & from, const std::string & program) {
    const std::string word     = opts.gpu.empty() ? "auto" : opts.gpu;
    const bool        explicit_ = word != "auto" && word != "disable";
    if (std::find(WORDS.begin(), WORDS.end(), word) == WORDS.end()) {
        throw user_error("--gpu " + word + ": there is no such kind", "say auto, disable, nvidia, amd, apple, intel, cuda, metal or vulkan");
    }
    check_layers(opts);
    if (word == "disable") {
        opts.remove("--n-gpu-layers");
        opts.add("--n-gpu-layers", "0");
    }
    if (wants_no_layers(opts)) {
        return;
    }

    recompile_asked(opts, word, from, program);

    std::vector<std::string> failures;
    std::string              instead_of; // the failures on cards whose driver is there
    std::string              remedy;
    bool                     any_module = false;
    for (const gpu_kind & kind : gpu_kinds()) {
        if (!serves(kind.name, word)) {
            continue;
        }
        const std::string own = recompiled(from, kind.name);
        if (own.empty() && !gpu_module_has(from, kind.name)) {
            continue;
        }
        any_module = true;
        attempt made;
        try {
            made = attempt_kind(kind, own, word, from, program);
        } catch (const user_error & error) {
            made.failure = error.what();
            made.remedy  = error.tip;
        }
        if (!made.module.empty()) {
            use(kind, made, instead_of, opts);
            return;
        }
        failures.push_back(made.failure);
        if (made.has_driver) {
            instead_of += (instead_of.empty() ? "" : "; ") + made.failure;
        }
        remedy = remedy.empty() ? made.remedy : remedy;
    }

    std::string why;
    for (const std::string & failure : failures) {
        why += (why.empty() ? "" : "; ") + failure;
    }
    if (!any_module) {
        why = std::string("this file has no GPU module ") + (explicit_ ? "for that " : "") + "on " + LLAMAPACK_TARGET;
    }
    if (explicit_) {
        throw user_error("--gpu " + word + ": " + why, remedy.empty() ? "leave --gpu away, or say --gpu disable, to run on the CPU" : remedy);
    }
    // Nobody who has not asked wants to hear of a file without modules.
    if ((any_module || opts.find("--n-gpu-layers") || !opts.gpu.empty()) && !opts.log_disable) {
        fprintf(stderr, "CPU: %s; see --gpu\n", why.c_str());
    }
    opts.remove("--n-gpu-layers"); // upstream would warn of how it was compiled
}

void gpu_begin() {
    if (!gpu_is_chosen()) {
        return;
    }
    ggml_backend_load_all(); // the CPU's, once
    if (!gpu_load(chosen())) {
        throw user_error(chosen() + ": could be loaded for a trial, but not now", "start it again, or say --gpu disable");
    }
}

bool gpu_is_chosen() {
    return !chosen().empty();
}

bool gpu_prepare(const options & opts, const bundle & from, const std::string & program) {
    const std::string word = opts.gpu.empty() ? "auto" : opts.gpu;
    if (word == "disable" || wants_no_layers(opts)) {
        return false;
    }
    recompile_asked(opts, word, from, program);
    bool any = false;
    for (const gpu_kind & kind : gpu_kinds()) {
        const bool is_own = !recompiled(from, kind.name).empty();
        const bool has_driver = kind.driver.empty() || library_present(kind.driver);
        if (!serves(kind.name, word) || !has_driver || (!is_own && !gpu_module_has(from, kind.name))) {
            continue;
        }
        any = true;
        try {
            if (!is_own) {
                gpu_module_install(from, kind.name);
            }
        } catch (const user_error &) {
            // the child that wants it says so
        }
    }
    return any;
}
