#include "cpu_choice.h"

#include "cpu_trial.h"
#include "module_dir.h"
#include "program_path.h"
#include "user_error.h"

#include "ggml-backend.h"
#include "json.h"

#include <cstdio>
#include <vector>

static const char VARIABLE[] = "LLAMAPACK_CPU";
static const char PROBE[]    = "LLAMAPACK_CPU_PROBE";

static std::vector<cpu_module> modules() {
    size_t             count = 0;
    const cpu_module * first = cpu_modules(&count);
    return std::vector<cpu_module>(first, first + count);
}

static std::string names(const std::vector<cpu_module> & list, bool only_running) {
    std::string text;
    for (const cpu_module & one : list) {
        if (one.score > 0 || !only_running) {
            text += (text.empty() ? "" : ", ") + std::string(one.name);
        }
    }
    return text;
}

struct cpu_choice {
    cpu_module  module{};  // without a name where the CPU's code is in the program
    std::string reason;
};

// The fastest that runs here, and computes. One that is passed over is told of.
static cpu_choice fastest(const std::string & program, const std::vector<cpu_module> & list) {
    for (const cpu_module & one : list) {
        if (one.score == 0) {
            break; // and all that follow
        }
        const std::string trouble = cpu_trial(program, one);
        if (trouble.empty()) {
            return { one, "the fastest that runs here" };
        }
        fprintf(stderr, "CPU: the variant %s is passed over: %s\n", one.name, trouble.c_str());
    }
    return {};
}

// Throws user_error for a name that cannot be had.
static cpu_choice choice(const std::string & program, const std::string & asked) {
    const std::string named = asked.empty() ? environment_get(VARIABLE) : asked;
    const std::string by    = asked.empty() ? std::string(VARIABLE) + "=" : "--cpu ";
    const auto        list  = modules();
    if (named.empty()) {
        return fastest(program, list);
    }
    if (list.empty()) {
        throw user_error(by + named + ": this engine has one CPU variant only", "leave " + by + named + " away");
    }
    const std::string runs = "this machine runs " + names(list, true) + "; without " + by + named + " it takes the first of them";
    for (const cpu_module & one : list) {
        if (named != one.name) {
            continue;
        }
        if (one.score == 0) {
            throw user_error(by + named + ": this machine does not run it: " + one.trouble, runs);
        }
        return { one, by + named };
    }
    throw user_error(by + named + ": this engine has no such CPU variant; it has " + names(list, false), runs);
}

void cpu_choose(const std::string & program, const std::string & asked, bool tell) {
    const cpu_choice made = choice(program, asked);
    if (made.module.name) {
        cpu_module_set(&made.module);
        ggml_backend_load_all();
    }
    if (tell) {
        fprintf(stderr, "CPU variant: %s\n", made.module.name ? (made.module.name + (" (" + made.reason + ")")).c_str() : "the only one");
    }
}

bool cpu_probe_answer(const std::string & program) {
    if (environment_get(PROBE).empty()) {
        return false;
    }
    common_json list = common_json::array();
    for (const cpu_module & one : modules()) {
        list.push_back(common_json{ { "name", one.name }, { "score", one.score }, { "trouble", one.trouble } });
    }
    common_json answer = { { "modules", list } };
    try {
        const cpu_choice made = choice(program, "");
        answer["chosen"]      = made.module.name ? made.module.name : "";
        answer["reason"]      = made.reason;
    } catch (const user_error & error) {
        answer["error"] = error.what();
    }
    printf("%s\n", answer.dump_safe(-1).c_str());
    return true;
}
