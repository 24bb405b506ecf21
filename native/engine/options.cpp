#include "options.h"

#include "user_error.h"

#include <algorithm>
#include <map>

// Upstream's programs whose options a bundle takes, in the order in which a name is looked up.
static const llama_example EXAMPLES[] = { LLAMA_EXAMPLE_SERVER, LLAMA_EXAMPLE_CLI, LLAMA_EXAMPLE_COMPLETION };

// Options that add up; of all others the last one counts, and upstream warns about a second one.
static const char * const ACCUMULATING[] = {
    "--lora", "--lora-scaled", "--control-vector", "--control-vector-scaled", "--image", "--in-file",
    "--reverse-prompt", "--logit-bias", "--override-kv", "--override-tensor", "--override-tensor-draft",
};

// Flags of older llamafiles that mean nothing any more; scripts still pass them.
static const char * const FORGOTTEN[] = {
    "--fast", "--precise", "--unsecure", "--v2", "--v1", "--nologo", "--ascii", "--trap",
};

struct option_table {
    common_params                             params;
    std::vector<common_arg>                   list;
    std::map<std::string, const common_arg *> by_name;
};

static const option_table & table(llama_example example) {
    static std::map<llama_example, option_table> tables;
    auto it = tables.find(example);
    if (it == tables.end()) {
        it = tables.emplace(example, option_table()).first;
        option_table & made = it->second;
        made.list = common_params_parser_init(made.params, example).options;
        for (const auto & arg : made.list) {
            for (const char * name : arg.args) {
                made.by_name[name] = &arg;
            }
            for (const char * name : arg.args_neg) {
                made.by_name[name] = &arg;
            }
        }
    }
    return it->second;
}

static const common_arg * find_in(llama_example example, const std::string & name) {
    const auto & names = table(example).by_name;
    const auto   it    = names.find(name);
    return it == names.end() ? nullptr : it->second;
}

static const common_arg * find_anywhere(const std::string & name) {
    for (const llama_example example : EXAMPLES) {
        if (const common_arg * arg = find_in(example, name)) {
            return arg;
        }
    }
    return nullptr;
}

static bool is_any_of(const std::string & text, const char * const * begin, const char * const * end) {
    return std::any_of(begin, end, [&](const char * one) { return text == one; });
}

// Upstream takes --ctx_size for --ctx-size.
static std::string spelling(std::string text) {
    if (text.rfind("--", 0) == 0) {
        std::replace(text.begin(), text.end(), '_', '-');
    }
    return text;
}

bool options_same(const std::string & a, const std::string & b) {
    if (a == b) {
        return true;
    }
    for (const llama_example example : EXAMPLES) {
        const common_arg * first = find_in(example, a);
        if (first && first == find_in(example, b)) {
            return true;
        }
    }
    return false;
}

static bool accumulates(const std::string & name) {
    return std::any_of(std::begin(ACCUMULATING), std::end(ACCUMULATING),
                       [&](const char * one) { return options_same(name, one); });
}

const given_option * options::find(const std::string & name) const {
    for (size_t i = given.size(); i-- > 0;) {
        if (options_same(given[i].name, name)) {
            return &given[i];
        }
    }
    return nullptr;
}

std::string options::value(const std::string & name) const {
    const given_option * option = find(name);
    return option && !option->values.empty() ? option->values.back() : "";
}

void options::add(const std::string & name, const std::string & value) {
    given.push_back({ name, { value }, true });
}

void options::remove(const std::string & name) {
    given.erase(std::remove_if(given.begin(), given.end(),
                               [&](const given_option & option) { return options_same(option.name, name); }),
                given.end());
}

// Takes a flag that is ours alone. Returns false if it is not.
static bool take_own(options & opts, const std::string & name) {
    if (name == "--chat") {
        opts.mode = run_mode::chat;
    } else if (name == "--server") {
        opts.mode = run_mode::server;
    } else if (name == "--cli") {
        opts.mode = run_mode::cli;
    } else if (name == "--nobrowser" || name == "--no-browser") {
        opts.no_browser = true;
    } else if (name == "--help" || name == "-h" || name == "--usage") {
        opts.help = true;
    } else if (name == "--version") {
        opts.version = true;
    } else if (name == "--licenses") {
        opts.licenses = true;
    } else if (name == "--log-disable") {
        opts.log_disable = true;
    } else if (name == "--recompile") {
        opts.recompile = true;
    } else if (name == "--nocompile") {
        opts.no_compile = true;
    } else {
        return is_any_of(name, std::begin(FORGOTTEN), std::end(FORGOTTEN));
    }
    return true;
}

options options_parse(const std::vector<word> & words) {
    options opts;
    for (size_t i = 0; i < words.size(); i++) {
        const std::string name = spelling(words[i].text);
        if (take_own(opts, name)) {
            continue;
        }
        const auto next_value = [&]() {
            if (i + 1 >= words.size()) {
                throw user_error(name + " needs a value", "see --help");
            }
            return words[++i].text;
        };
        if (name == "--gpu" || name == "--cpu") {
            (name == "--gpu" ? opts.gpu : opts.cpu) = next_value();
            continue;
        }
        const common_arg * arg = find_anywhere(name);
        if (!arg) {
            throw user_error("unknown argument: " + words[i].text, "--help lists all of them");
        }
        given_option option;
        option.name       = name;
        option.is_default = words[i].is_default;
        for (const char * hint : { arg->value_hint, arg->value_hint_2 }) {
            if (hint) {
                option.values.push_back(next_value());
            }
        }
        if (!accumulates(name)) {
            opts.remove(name);
        }
        opts.given.push_back(option);
    }
    return opts;
}

std::vector<std::string> options_argv(const options & opts, llama_example example) {
    std::vector<std::string> argv = { "llamapack" };
    for (const auto & option : opts.given) {
        if (find_in(example, option.name)) {
            argv.push_back(option.name);
            argv.insert(argv.end(), option.values.begin(), option.values.end());
        }
    }
    return argv;
}

void options_apply(const options & opts, llama_example example, common_params & params) {
    for (const auto & option : opts.given) {
        const common_arg * arg = find_in(example, option.name);
        if (!arg) {
            continue;
        }
        try {
            if (arg->handler_void) {
                arg->handler_void(params);
            } else if (arg->handler_bool) {
                arg->handler_bool(params, is_any_of(option.name, arg->args.data(), arg->args.data() + arg->args.size()));
            } else if (arg->handler_int) {
                arg->handler_int(params, std::stoi(option.values.at(0)));
            } else if (arg->handler_string) {
                arg->handler_string(params, option.values.at(0));
            } else if (arg->handler_str_str) {
                arg->handler_str_str(params, option.values.at(0), option.values.at(1));
            }
        } catch (const std::exception & error) {
            throw user_error(option.name + ": " + error.what(), "see --help");
        }
    }
}
