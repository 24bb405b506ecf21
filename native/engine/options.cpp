#include "options.h"

#include "judged_options.h"
#include "members.h"
#include "renamed.h"
#include "user_error.h"

#include "common.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <map>

namespace fs = std::filesystem;

static constexpr int SLOTS = 4; // of upstream's server, where nobody says how many

bool common_chat_verify_template(const std::string & tmpl, bool use_jinja); // upstream's chat.h, which has the name of ours

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

bool options_embed(const options & opts) {
    return opts.find("--embeddings") || opts.find("--reranking");
}

common_params params_default() {
    common_params params;
    params.port = 8080;
    return params;
}

struct option_table {
    common_params                             params = params_default();
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

std::string options_environment(const std::string & name) {
    for (const llama_example example : EXAMPLES) {
        const common_arg * arg = find_in(example, name);
        if (arg && arg->env) {
            return arg->env;
        }
    }
    return "";
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
    } else if (name == "--verify") {
        opts.verify = true;
    } else if (name == "--log-disable") {
        opts.log_disable = true;
    } else if (name == "--recompile") {
        opts.recompile = true;
    } else if (name == "--nocompile") {
        opts.no_compile = true;
    } else if (name == "--print-options") {
        opts.print_all = true;
    } else if (name == "--trust-args") {
        opts.trust_args = true;
    } else if (name == "--https") {
        opts.https = true;
    } else if (name == "--fetch-media") {
        opts.fetch_media = true;
    } else if (name == "--probe-template") {
        opts.probe_template = true;
    } else if (name == "--probe-memory") {
        opts.probe_memory = true;
    } else {
        return is_any_of(name, std::begin(FORGOTTEN), std::end(FORGOTTEN));
    }
    return true;
}

void options_sandbox_check(const std::string & by, const std::string & mode) {
    if (!mode.empty() && mode != "auto" && mode != "require" && mode != "off") {
        throw user_error(by + mode + ": there is no such mode", "say auto, require or off");
    }
}

std::vector<std::string> options_origins(const std::string & value) {
    std::vector<std::string> origins;
    for (std::string one : string_split<std::string>(value, ',')) {
        one = string_strip(one);
        while (!one.empty() && one.back() == '/') {
            one.pop_back();
        }
        if (one.empty() || (one != "*" && one.find_first_of("*/ ", one.find("://") == std::string::npos ? 0 : one.find("://") + 3) != std::string::npos)) {
            throw user_error("--allow-origin " + value + ": " + (one.empty() ? "a host is missing" : one + " is not a host"),
                             "write hosts (example.com) or origins (https://example.com), several with commas");
        }
        origins.push_back(one);
    }
    return origins;
}

static user_error refusal(const std::string & data, const std::vector<std::string> & names) {
    std::string listed;
    for (const std::string & name : names) {
        listed += (listed.empty() ? "" : ", ") + name;
    }
    return user_error(data + ": its arguments have " + listed + ", which a file of weights may not decide",
                      "if you trust its author as you trust a program's: --trust-args obeys all of them");
}

options options_parse(const std::vector<word> & words, const std::string & data) {
    options                  opts;
    std::vector<std::string> refused;
    for (size_t i = 0; i < words.size(); i++) {
        const size_t      at      = i;
        const std::string name    = spelling(words[i].text);
        const bool        is_data = words[i].is_default && !data.empty();
        if (is_data && !option_is_of_model(name)) {
            refused.push_back(name);
        }
        if (name == "--unsecure" && !words[i].is_default) {
            opts.sandbox = "off";
        }
        if (take_own(opts, name)) {
            continue;
        }
        const auto next_value = [&]() {
            // No value of the user's for an option of a stranger's, nor the other way round.
            if (i + 1 >= words.size() || (!data.empty() && words[i + 1].is_default != words[at].is_default)) {
                throw user_error(name + " needs a value", "see --help");
            }
            return words[++i].text;
        };
        if (name == "--sandbox") {
            const std::string mode = next_value();
            if (is_data) {
                continue; // it has been refused
            }
            options_sandbox_check("--sandbox ", mode);
            if (words[at].is_default && mode == "off") {
                throw user_error("--sandbox off is in the arguments of a file, which may not decide it", "--sandbox auto or require may be; you can say --sandbox off when you start it");
            }
            (words[at].is_default ? opts.sandbox_own : opts.sandbox) = mode;
            continue;
        }
        if (name == "--gpu" || name == "--cpu") {
            (name == "--gpu" ? opts.gpu : opts.cpu) = next_value();
            continue;
        }
        if (name == "--config" || name == "--print-env") {
            (name == "--config" ? opts.config : opts.print_env) = next_value();
            continue;
        }
        if (name == "--allow-origin") {
            for (const std::string & origin : options_origins(next_value())) {
                opts.allowed_origins.push_back(origin);
            }
            continue;
        }
        const auto [today, its_value] = renamed_option(name);
        if (!today.empty()) {
            opts.remove(today);
            opts.given.push_back({ today, { its_value }, words[i].is_default, is_data, at });
            continue;
        }
        const common_arg * arg = find_anywhere(name);
        if (!arg && is_data) {
            throw refusal(data, refused);
        }
        if (!arg) {
            throw user_error("unknown argument: " + words[i].text, "--help lists all of them");
        }
        given_option option;
        option.name       = name;
        option.is_default = words[i].is_default;
        option.is_data    = is_data;
        option.at         = at;
        for (const char * hint : { arg->value_hint, arg->value_hint_2 }) {
            if (hint) {
                option.values.push_back(next_value());
            }
        }
        if (!option.values.empty()) {
            renamed_warn(name, option.values.back());
        }
        if (!accumulates(name)) {
            opts.remove(name);
        }
        opts.given.push_back(option);
    }
    if (!refused.empty()) {
        throw refusal(data, refused);
    }
    return opts;
}

static void print_names(const char * key, const std::vector<const char *> & names) {
    printf("\"%s\": [", key);
    for (size_t i = 0; i < names.size(); i++) {
        printf("%s\"%s\"", i > 0 ? ", " : "", names[i]);
    }
    printf("]");
}

static void print_list(const std::vector<common_arg> & list, const char * & separator) {
    for (const common_arg & arg : list) {
        printf("%s{", separator);
        print_names("names", arg.args);
        printf(", ");
        print_names("off", arg.args_neg);
        printf(", \"values\": %d, \"environment\": \"%s\"}", (arg.value_hint != nullptr) + (arg.value_hint_2 != nullptr), arg.env ? arg.env : "");
        separator = ",\n";
    }
}

void options_print() {
    const char * separator = "[";
    for (const llama_example example : EXAMPLES) {
        print_list(table(example).list, separator);
    }
    for (const removed_option & one : REMOVED_OPTIONS) {
        printf("%s{\"names\": [\"%s\"], \"off\": [], \"values\": 0, \"environment\": \"\"}", separator, one.name);
    }
    std::vector<common_arg> of_presets;
    common_params_add_preset_options(of_presets);
    print_list(of_presets, separator);
    printf("]\n");
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

// `name` is what the option is called in messages.
static void apply_one(const common_arg & arg, const std::string & name, bool is_on, const std::vector<std::string> & values, common_params & params) {
    try {
        if (arg.handler_void) {
            arg.handler_void(params);
        } else if (arg.handler_bool) {
            arg.handler_bool(params, is_on);
        } else if (arg.handler_int) {
            arg.handler_int(params, std::stoi(values.at(0)));
        } else if (arg.handler_string) {
            arg.handler_string(params, values.at(0));
        } else if (arg.handler_str_str) {
            arg.handler_str_str(params, values.at(0), values.at(1));
        }
    } catch (const std::exception & error) {
        std::string what = error.what();
        what.erase(what.find_last_not_of(" \n") + 1);
        what = what.rfind("sto", 0) == 0 ? "is not a number that it takes" : what; // of std::stoi and its kin
        throw user_error(name + (values.empty() ? "" : " " + values[0]) + ": " + what, "see --help");
    }
}

static void apply_given(const common_arg & arg, const given_option & option, common_params & params) {
    apply_one(arg, option.name, is_any_of(option.name, arg.args.data(), arg.args.data() + arg.args.size()), option.values, params);
}

void options_apply(const options & opts, llama_example example, common_params & params) {
    for (const auto & option : opts.given) {
        if (const common_arg * arg = find_in(example, option.name)) {
            apply_given(*arg, option, params);
        }
    }
}

// Whose handlers ask devices, which are loaded later, or act at once; or which have a message of their own.
static const std::initializer_list<const char *> LATER = { "--port", "--device", "--spec-draft-device", "--override-tensor", "--spec-draft-override-tensor", "--rpc", "--log-file" };

static bool is_one_of(const std::string & name, const std::initializer_list<const char *> & names) {
    return std::any_of(names.begin(), names.end(), [&](const char * one) { return options_same(one, name); });
}

// Whether reading it takes something away: standard input, a pipe.
static bool is_read_once(const given_option & option) {
    std::error_code error;
    return option_opened_by(option.name) != opened_by::nothing && std::any_of(option.values.begin(), option.values.end(), [&](const std::string & value) {
        return value == "-" || fs::is_other(fs::status(fs::u8path(value), error));
    });
}

static void place_check(const given_option & option, const std::string & value) {
    std::error_code error;
    if (is_one_of(option.name, { "--path", "--media-path", "--models-dir" }) && !fs::is_directory(fs::u8path(value), error)) {
        throw user_error(option.name + " " + value + ": there is no such folder", "name a folder that is there");
    }
    const auto is_there = [&](const std::string & path) { return path == "-" || path.rfind("/zip/", 0) == 0 || fs::exists(fs::u8path(path), error); };
    const bool is_file  = option_opened_by(option.name) != opened_by::nothing;
    for (const std::string & item : is_file && option_is_list(option.name) ? members_list_items(value) : std::vector<std::string>{ value }) {
        if (is_file && !is_there(item) && !is_there(item.substr(0, item.rfind(':')))) { // a scale may follow
            throw user_error(option.name + " " + item + ": no such file", option.name + " takes the path of a file that is there");
        }
    }
    if (is_one_of(option.name, { "--log-file" }) && !std::ofstream(fs::u8path(value), std::ios::app)) {
        throw user_error(option.name + " " + value + ": the log cannot be written there", "name a file in a folder of yours");
    }
}

void options_check(const options & opts, llama_example example) {
    common_params params = params_default();
    for (const given_option & option : opts.given) {
        const common_arg * arg = find_in(example, option.name);
        if (!arg || option.values.empty()) {
            continue;
        }
        place_check(option, option.values[0]);
        if (!is_one_of(option.name, LATER) && !is_read_once(option)) {
            apply_given(*arg, option, params);
        }
    }
    const bool serves = example == LLAMA_EXAMPLE_SERVER;
    const int  slots  = !serves ? 1 : opts.find("--parallel") && params.n_parallel > 0 ? params.n_parallel : SLOTS;
    if (params.n_ctx < 0 || params.n_ctx == 1) {
        throw user_error("--ctx-size " + opts.value("--ctx-size") + ": is too small", "-c 4096 is room for some pages; 0 is all that the model was trained for");
    }
    if (params.n_batch < slots) {
        throw user_error("--batch-size " + opts.value("--batch-size") + ": is too small", "at least one token for each of " + std::to_string(slots) + " slots (--parallel)");
    }
    if (params.n_ubatch < 0) {
        throw user_error("--ubatch-size " + opts.value("--ubatch-size") + ": is too small", "leave it away, or choose one up to --batch-size");
    }
    const bool has_template = opts.find("--chat-template") || opts.find("--chat-template-file");
    if (serves && has_template && !params.chat_template.empty() && !common_chat_verify_template(params.chat_template, params.use_jinja)) {
        throw user_error("the chat template cannot be used", "`llamapack template check` says more; without the option the model's own counts");
    }
    const auto & keys = params.api_keys;
    const auto   odd  = std::find_if(keys.begin(), keys.end(), [](const std::string & key) { return key.find('\0') != std::string::npos; });
    for (const char * name : { "--api-key", "--api-key-file" }) {
        const given_option * option = opts.find(name);
        if (serves && option && (keys.empty() || odd != keys.end()) && !is_read_once(*option)) {
            throw user_error(std::string(name) + ": there is no key in it", "write at least one, in UTF-8; without the option nobody is asked for a key");
        }
    }
}

void options_apply_some(const options & opts, const std::vector<std::string> & names, common_params & params) {
    for (const std::string & name : names) {
        const common_arg & arg = *find_in(LLAMA_EXAMPLE_SERVER, name);
        std::string        value;
        if (arg.get_value_from_env(value) && (!arg.handler_void || common_arg_utils::is_truthy(value))) {
            apply_one(arg, arg.env, common_arg_utils::is_truthy(value), { value }, params);
        }
        if (const given_option * option = opts.find(name)) {
            apply_given(arg, *option, params);
        }
    }
}
