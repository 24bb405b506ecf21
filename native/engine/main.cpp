// The engine's entry: finds the bundle, reads its default arguments, settles the mode.

#include "browser.h"
#include "bundle.h"
#include "commands.h"
#include "cpu_choice.h"
#include "cpu_trial.h"
#include "config.h"
#include "downloads.h"
#include "dynamic_library.h"
#include "gpu_choice.h"
#include "gpu_probe.h"
#include "gpu_report.h"
#include "help.h"
#include "helper.h"
#include "members.h"
#include "model.h"
#include "models.h"
#include "modes.h"
#include "module_dir.h"
#include "options.h"
#include "parent.h"
#include "processors.h"
#include "program_path.h"
#include "renamed.h"
#include "router.h"
#include "sandbox.h"
#include "schema_bounds.h"
#include "server_address.h"
#include "terminal.h"
#include "tls.h"
#include "user_error.h"
#include "utf8.h"
#include "web_ui.h"
#include "words.h"

#include "common.h"
#include "llama.h"
#include "log.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// embedded by upstream's license_generate
extern const char * LICENSES[];

static int version_print(const bundle & from) {
    if (from.has("llamapack.json")) {
        const std::string manifest = from.read("llamapack.json");
        const std::string key      = "\"tool\": \"";
        const size_t      start    = manifest.find(key);
        if (start != std::string::npos) {
            const size_t begin = start + key.size();
            printf("%s\n", manifest.substr(begin, manifest.find('"', begin) - begin).c_str());
        }
    }
    printf("llama.cpp %s\n", llama_version());
    return 0;
}

static int licenses_print(const bundle & from) {
    for (int i = 0; LICENSES[i]; i++) {
        printf("%s\n", LICENSES[i]);
    }
    const std::string folder = "licenses/model/";
    for (const std::string & name : from.names(folder)) {
        const std::string title = "License for the weights: " + name.substr(folder.size());
        const std::string text  = title + "\n" + std::string(title.size(), '=') + "\n\n" + from.read(name) + "\n";
        fputs((terminal_output_is_tty() ? utf8_printable(text) : text).c_str(), stdout);
    }
    return 0;
}

static run_mode mode_default(const options & opts) {
    if (opts.find("--prompt") || opts.find("--file")) {
        return run_mode::cli;
    }
    return terminal_absent() ? run_mode::server : run_mode::chat_and_server;
}

// A model that embeds, ranks or only completes has nothing to say in a chat: where nobody asks for one,
// it is served.
static void mode_settle(options & opts, bool is_default) {
    const bool embeds = options_embed(opts);
    if (is_default && opts.mode == run_mode::chat_and_server && (embeds || opts.no_chat)) {
        opts.mode = run_mode::server;
    }
    if (embeds && opts.mode != run_mode::server) {
        throw user_error(opts.value("--alias") + ": it embeds texts or ranks documents, and writes none", "--server serves it");
    }
    if (opts.no_chat && opts.mode == run_mode::chat) {
        throw user_error(opts.value("--alias") + ": it has no chat template", "--cli completes texts; --chat-template chatml gives it a template");
    }
}

// Whether the first of several models is such a one.
static bool first_embeds(const bundle_models & models) {
    std::string said;
    const auto & preset = models.presets.at(models.first);
    return preset.get_option("LLAMA_ARG_EMBEDDINGS", said) || preset.get_option("LLAMA_ARG_RERANKING", said);
}

// The bundle that this engine was started from, or "": its stub names it, or weights were appended
// to this very program.
static std::string bundle_path(const std::string & program) {
    const std::string named = environment_get("LLAMAPACK_BUNDLE");
    environment_remove("LLAMAPACK_BUNDLE");
    return !named.empty() ? named : bundle::is_archive(program) ? program : "";
}

static constexpr size_t DATA_WORDS = 1024; // the most that a file of weights may have; others have a few

static std::string args_of(const bundle & from) {
    return from.has(".args") ? from.read(".args") : "";
}

// What the words of a start mean. The weights, and arguments with them, may be in another file than
// the bundle that brought this engine: then it is opened as `from`, and its arguments are data.
static options options_read(const bundle & self, bundle & from, std::vector<std::string> user) {
    options opts = options_parse(words_merge(words_parse(args_of(self)), user));
    if (!opts.config.empty()) {
        const std::vector<std::string> words = config_words(opts.config);
        user.insert(user.begin(), words.begin(), words.end());
        opts = options_parse(words_merge(words_parse(args_of(self)), user));
    }
    const given_option * model = model_open_bundle(opts, from);
    if (!model && from.path() == self.path()) {
        return opts;
    }
    if (model) {
        user = words_without(words_merge(words_parse(args_of(self)), user), model->at, 2);
    }
    if (!opts.trust_args) {
        from.set_engine(self);
    }
    const bool is_data = !from.is_trusted(".args");
    auto       words   = words_parse(args_of(from), !is_data);
    if (is_data && words.size() > DATA_WORDS) {
        throw user_error(from.path() + ": its arguments are " + std::to_string(words.size()) + " words, and " + std::to_string(DATA_WORDS) + " are the limit in a file of weights",
                         "--trust-args obeys all of them");
    }
    if (is_data) { // whose words the user's always win over
        words.erase(std::remove(words.begin(), words.end(), "..."), words.end());
    }
    return options_parse(words_merge(words, user), is_data ? from.path() : "");
}

// Upstream counts the cores of the machine, also where this process may use a part of them.
static void threads_choose(options & opts) {
    const int allowed = processors_allowed();
    if (allowed > 0 && allowed < common_cpu_get_num_math() && !opts.find("--threads") && !std::getenv("LLAMA_ARG_THREADS")) {
        opts.add("--threads", std::to_string(allowed));
    }
}

// Upstream converts a schema of the arguments before it serves anything. One that the user typed may take its time.
static void schemas_bound(const options & opts, const router_child & child) {
    if (child.is_child || std::any_of(opts.given.begin(), opts.given.end(), [](const given_option & one) { return one.is_data; })) {
        schema_work_begin();
    }
}

// What the models need together: their processes are held to it, too, and each to its own besides.
static sandbox_policy router_policy(const options & opts, const bundle_models & models, const std::vector<std::string> & bundles) {
    sandbox_policy policy = sandbox_policy_of(opts, bundles);
    for (const auto & [name, preset] : models.presets) {
        for (const auto & [option, value] : preset.options) {
            sandbox_policy_add(policy, opts.mode, option.args.back(), { value });
        }
    }
    return policy;
}

// At the end: what was printed has been written, or the status says that it was not.
static void output_check() {
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "ERROR standard output: not all of it could be written\nTIP see that there is space where it goes\n");
        fflush(stderr);
        std::_Exit(1);
    }
}

static int error_print(const char * what, const std::string & tip) {
    std::string text = utf8_printable(what); // it may quote what others wrote
    std::replace(text.begin(), text.end(), '\n', ' ');
    common_log_flush(common_log_main()); // which a thread prints: what it says comes before
    fprintf(stderr, "ERROR %s\n", text.c_str());
    if (!tip.empty()) {
        fprintf(stderr, "TIP %s\n", tip.c_str());
    }
    return 1;
}

// The last steps that a sandbox would refuse, and the sandbox.
static void start_close(const options & opts, const router_child & child, const std::string & program, sandbox_policy & policy) {
    options_check(opts, opts.mode == run_mode::cli ? LLAMA_EXAMPLE_COMPLETION : LLAMA_EXAMPLE_SERVER);
    const bool is_local = !opts.find("--server-base") && !opts.probe_memory;
    const bool chats    = opts.mode == run_mode::chat || opts.mode == run_mode::chat_and_server;
    if (is_local && opts.mode != run_mode::cli) {
        server_address_bind(opts, opts.mode == run_mode::chat);
    }
    if (chats && is_local) {
        policy.ports.push_back(server_address_port());
    }
    const bool browses = is_local && opts.mode != run_mode::cli && opts.mode != run_mode::chat && !opts.no_browser && browser_available();
    const bool dumps = chats && !sandbox_is_off(opts);
    if (!child.is_child && !opts.probe_memory && (dumps || browses)) {
        helper_start(program, browses ? server_address_url() : "", dumps);
    }
    sandbox_enter(opts, policy);
    if (child.is_child) {
        parent_follow(child.router); // a thread
    }
}

static int run(const std::string & program, const std::string & own, const router_child & child, const std::vector<std::string> & user) {
    bundle self; // the engine's own: modules, web UI
    bundle from; // the one with the weights, which -m or a NAME.exe may take elsewhere
    if (!own.empty()) {
        self.open(own);
        from.open(own);
    }
    if (child.is_child && !child.weights.empty()) {
        from.open(child.weights);
    }
    if (std::find(user.begin(), user.end(), "--verify") != user.end()) { // the bundle's own arguments may be damaged
        options asked = options_parse(words_merge({}, user));
        if (asked.verify) {
            model_open_bundle(asked, from);
            sandbox_enter(asked, sandbox_policy_of(asked, { from.path() }));
            return mode_verify(from.path());
        }
    }
    options opts = child.is_child ? options_parse(words_merge(words_parse(child.args), user)) : options_read(self, from, user);
    if (own.empty() && opts.trust_args) { // pages are programs, too
        web_ui_set_bundle(from.path());
    }

    if (opts.help) {
        const std::string & path = from.path();
        help_print(path.empty() ? "llamapack-engine" : "./" + path.substr(path.find_last_of("/\\") + 1));
        return 0;
    }
    if (opts.print_all) {
        options_print();
        return 0;
    }
    if (opts.version) {
        return version_print(from);
    }
    if (opts.licenses) {
        return licenses_print(from);
    }
    if (opts.probe_template) {
        sandbox_enter(opts, sandbox_policy_of(opts, {}));
        return mode_probe_template(opts);
    }
    if (!opts.print_env.empty()) {
        const bundle_models models = models_read(opts, from);
        return mode_print_env(opts, models_are_routed(opts, models) ? models.first : "");
    }
    downloads_fetch(opts);
    threads_choose(opts);
    cpu_choose(program, opts.cpu, opts.find("--verbose") && !opts.log_disable && !child.is_child);
    const bool is_default_mode = opts.mode == run_mode::unset;
    if (is_default_mode) {
        opts.mode = mode_default(opts);
    }
    if (!child.is_child && (opts.mode == run_mode::server || opts.mode == run_mode::chat_and_server)) {
        tls_server_settle(opts);
    }
    const bundle_models models = child.is_child ? bundle_models() : models_read(opts, from);
    if (models_are_routed(opts, models) && !opts.probe_memory) {
        sandbox_policy policy = router_policy(opts, models, { self.path(), from.path() });
        policy.gpu            = gpu_prepare(opts, self, program);
        router_prepare(opts, models, program, self, from);
        if (is_default_mode && first_embeds(models)) {
            opts.mode = run_mode::server;
        }
        policy.executes.insert(policy.executes.end(), { program, "/proc/self/exe" });
        policy.ports    = router_child_ports();
        policy.binds = policy.children = true;
        sandbox_pass_on(opts);
        start_close(opts, child, program, policy);
        schemas_bound(opts, child);
        return opts.mode == run_mode::server ? mode_server(opts) : mode_chat(opts, models.first);
    }
    models_choose(opts, models, from);
    const bool is_local = !opts.find("--server-base");
    if (is_local) {
        gpu_choose(opts, self, program);
    }
    if (opts.log_disable) {
        gpu_report_mute();
    }
    if (is_local) {
        model_choose(opts, from);
    } else {
        members_resolve(opts, from);
    }
    sandbox_policy policy = sandbox_policy_of(opts, { self.path(), from.path() });
    policy.gpu            = gpu_is_chosen();
    start_close(opts, child, program, policy);
    if (is_local) {
        gpu_begin();
        model_examine(opts);
    }
    schemas_bound(opts, child);
    if (child.is_child) {
        return mode_router_child(opts);
    }
    if (opts.probe_memory) {
        return mode_probe_memory(opts);
    }
    mode_settle(opts, is_default_mode);

    switch (opts.mode) {
        case run_mode::cli:    return mode_cli(opts);
        case run_mode::server: return mode_server(opts);
        default:               return mode_chat(opts, "");
    }
}

// Until one of upstream's programs sets up its own log: only what went wrong.
static void log_errors(ggml_log_level level, const char * text, void *) {
    if (level == GGML_LOG_LEVEL_ERROR) {
        fputs(text, stderr);
    }
}

int main(int argc, char ** argv) {
    library_folders_restrict();
    if (std::getenv("LLAMAPACK_PROBE") || gpu_probe_answer() || cpu_trial_answer() || helper_answer()) {
        return 0;
    }
    standard_streams_open();
    atexit(output_check);
    environment_set("GGML_NO_BACKTRACE", "1"); // upstream would start a debugger of PATH, which writes to stdout
    llama_log_set(log_errors, nullptr);
    const std::string program = program_file(argc, argv);
    module_dir_set(program.substr(0, program.find_last_of("/\\") + 1).c_str());
    if (cpu_probe_answer(program)) {
        return 0;
    }

    const router_child child = router_child_read();
    const std::string  own   = child.is_child ? child.bundle : bundle_path(program);
    web_ui_set_bundle(own);
    tls_roots_set_bundle(own);

    const std::vector<std::string> words = program_arguments(argc, argv);
    renamed_environment();
    try {
        return command_is(words) ? command_run(program, own, words) : run(program, own, child, words);
    } catch (const user_error & error) {
        return error_print(error.what(), error.tip);
    } catch (const std::exception & error) { // upstream's
        return error_print(error.what(), "--verbose says more");
    }
}
