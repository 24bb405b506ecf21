#include "commands.h"

#include "bundle.h"
#include "gpu_choice.h"
#include "user_error.h"
#include "upstream.h"

#include <algorithm>

int llama_bench(int argc, char ** argv);
int llama_completion(int argc, char ** argv);
int llama_quantize(int argc, char ** argv);
int llama_server(int argc, char ** argv);

struct command {
    const char * name;
    int (*run)(int, char **);
    bool uses_gpu;
};

static const command COMMANDS[] = {
    { "bench",      llama_bench,      true  },
    { "completion", llama_completion, true  },
    { "quantize",   llama_quantize,   false },
    { "serve",      llama_server,     true  },
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

int command_run(const std::string & program, const std::string & own, std::vector<std::string> words) {
    const command * one = command_find(words);
    bundle          from;
    if (!own.empty()) {
        from.open(own);
    }
    options opts;
    const auto gpu = std::find(words.begin(), words.end(), "--gpu");
    if (gpu != words.end()) {
        if (gpu + 1 == words.end()) {
            throw user_error("--gpu needs a value", "see --help");
        }
        opts.gpu = gpu[1];
        words.erase(gpu, gpu + 2);
    }
    const std::string layers = value_of(words, { "-ngl", "--n-gpu-layers", "--gpu-layers" });
    if (!layers.empty()) {
        opts.add("--n-gpu-layers", layers);
    }
    if (one->uses_gpu) {
        gpu_choose(opts, from, program);
        if (!opts.value("--device").empty() && value_of(words, { "-dev", "--device" }).empty()) {
            words.insert(words.end(), { "--device", opts.value("--device") });
        }
        if (opts.gpu == "disable") {
            words.insert(words.end(), { "-ngl", "0" });
        }
    }
    return upstream_run(one->run, words);
}
