#include "commands.h"

#include "bundle.h"
#include "cpu_choice.h"
#include "gpu_choice.h"
#include "modes.h"
#include "router.h"
#include "sandbox.h"
#include "server_address.h"
#include "user_error.h"
#include "upstream.h"

#include <algorithm>

int llama_bench(int argc, char ** argv);
int llama_completion(int argc, char ** argv);
int llama_quantize(int argc, char ** argv);

struct command {
    const char * name;
    int (*run)(int, char **);
    bool uses_gpu;
};

static const command COMMANDS[] = {
    { "bench",      llama_bench,      true  },
    { "completion", llama_completion, true  },
    { "quantize",   llama_quantize,   false },
    { "serve",      nullptr,          true  }, // see mode_serve()
};

static const command * command_find(const std::vector<std::string> & words) {
    const auto it = std::find_if(std::begin(COMMANDS), std::end(COMMANDS),
                                 [&](const command & one) { return !words.empty() && words[0] == one.name; });
    return it == std::end(COMMANDS) ? nullptr : it;
}

bool command_is(const std::vector<std::string> & words) {
    return command_find(words) != nullptr;
}

// The value behind the last of these spellings, or "".
static std::string value_of(const std::vector<std::string> & words, const std::vector<std::string> & spellings) {
    for (size_t i = words.size(); i-- > 1;) {
        if (std::find(spellings.begin(), spellings.end(), words[i - 1]) != spellings.end()) {
            return words[i];
        }
    }
    return "";
}

// Takes an option of ours with its value out of the words; "" where it is not among them.
static std::string take(std::vector<std::string> & words, const std::string & name) {
    const auto place = std::find(words.begin(), words.end(), name);
    if (place == words.end()) {
        return "";
    }
    if (place + 1 == words.end()) {
        throw user_error(name + " needs a value", "see --help");
    }
    const std::string value = place[1];
    words.erase(place, place + 2);
    return value;
}

// The options among the words, for the sandbox; upstream judges them itself.
static options options_known(const command & one, const std::vector<std::string> & words) {
    options known;
    try {
        if (one.run != llama_bench && one.run != llama_quantize) { // which have their own
            known = options_parse(words_merge({}, std::vector<std::string>(words.begin() + 1, words.end())));
        }
    } catch (const user_error &) {
        // upstream says so in a moment
    }
    known.mode = one.run ? run_mode::cli : run_mode::server;
    return known;
}

int command_run(const std::string & program, const std::string & own, std::vector<std::string> words) {
    const command * one = command_find(words);
    bundle          from;
    if (!own.empty()) {
        from.open(own);
    }
    options opts;
    opts.gpu = take(words, "--gpu");
    cpu_choose(program, take(words, "--cpu"), false);
    const std::string layers = value_of(words, { "-ngl", "--n-gpu-layers", "--gpu-layers" });
    if (!layers.empty()) {
        opts.add("--n-gpu-layers", layers);
    }
    const bool off = std::find(words.begin(), words.end(), "--unsecure") != words.end();
    words.erase(std::remove(words.begin(), words.end(), "--unsecure"), words.end());
    opts.sandbox = off ? "off" : take(words, "--sandbox");
    options_sandbox_check("--sandbox ", opts.sandbox);
    if (one->uses_gpu) {
        gpu_choose(opts, from, program);
        if (!opts.value("--device").empty() && value_of(words, { "-dev", "--device" }).empty()) {
            words.insert(words.end(), { "--device", opts.value("--device") });
        }
        if (opts.gpu == "disable") {
            words.insert(words.end(), { "-ngl", "0" });
        }
    }
    for (auto it = words.begin(); it != words.end();) {
        if (*it != "--allow-origin") {
            it++;
            continue;
        }
        if (it + 1 == words.end()) {
            throw user_error("--allow-origin needs a value", "see --help");
        }
        const std::vector<std::string> more = options_origins(it[1]);
        opts.allowed_origins.insert(opts.allowed_origins.end(), more.begin(), more.end());
        it = words.erase(it, it + 2);
    }
    options known = options_known(*one, words);
    if (!one->run) {
        server_address_bind(known, false);
    }
    sandbox_policy policy = sandbox_policy_of(known, { own });
    policy.gpu            = gpu_is_chosen();
    sandbox_policy_add_words(policy, words);
    if (!one->run && !known.find("--model")) { // upstream's router, which starts this engine for each model
        policy.executes.insert(policy.executes.end(), { program, "/proc/self/exe" });
        policy.ports = router_child_ports();
        policy.binds = policy.children = true;
        sandbox_pass_on(opts);
    }
    sandbox_enter(opts, policy);
    gpu_begin();
    return one->run ? upstream_run(one->run, words) : mode_serve(words, opts);
}
