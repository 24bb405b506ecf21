#include "sandbox.h"

#include "gpu_module.h"
#include "judged_options.h"
#include "members.h"
#include "module_dir.h"
#include "program_path.h"
#include "user_error.h"

#include "common.h"
#include "log.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

namespace fs = std::filesystem;

static const char VARIABLE[] = "LLAMAPACK_SANDBOX";

enum : unsigned {
    READS     = 1,
    WRITES    = 2,  // the file
    WRITES_IN = 4,  // files in the folder
    EXECUTES  = 8,  // programs in the folder
    CONNECTS  = 16, // to any port
    SERVES    = 32, // only where others send requests
    CALLS     = 64, // the port of the address
    DOWNLOADS = 128,
    LISTS     = 256, // downloads
    ANYTHING  = 512,
};

// The one table: docs/security.md and --help say the same, and tests compare them. Options that name a
// file which is read (native/options.toml) need no row.
static const sandbox_need NEEDS[] = {
    { "every start", 0, "reads this file, the files that options name and the system's libraries; writes no file, starts no program, connects to nobody, signals nobody" },
    { "--server", 0, "listens at its port, bound before" },
    { "--chat", 0, "reads the folder where it is started (of the home folder what is not hidden); connects to its own port; a helper writes the new files of /dump there" },
    { "several models", 0, "starts this engine for each; connects to and listens at ports of its own" },
    { "a GPU", 0, "uses the card's devices, reads its driver, writes the driver's caches" },
    { "a browser", 0, "a helper opens it, started before" },
    { "--recompile", 0, "the compiler runs before" },
    { "--media-path --path --models-dir --ssl-key-file --ssl-cert-file", READS, "reads there" },
    { "--log-file", WRITES, "writes the file" },
    { "--prompt-cache --lookup-cache-dynamic", READS | WRITES, "reads and writes the file" },
    { "--slot-save-path --log-prompts-dir", READS | WRITES_IN, "reads and writes in the folder" },
    { "--fetch-media", CONNECTS | SERVES, "connects to any port, for image_url in requests" },
    { "--hf-repo --hf-repo-draft --docker-repo --model-url --mmproj-url", CONNECTS | DOWNLOADS, "fetched before the sandbox closes; by serve, in it: connects to any port, writes in the cache of downloads" },
    { "--cache-list", LISTS, "reads the cache of downloads" },
    { "--rpc --ui-mcp-proxy", CONNECTS, "connects to any port" },
    { "--server-base", CALLS, "connects to its port; to any port where a name has to be looked up" },
    { "--video-ffmpeg-dir", READS | EXECUTES, "starts the programs in the folder" },
    { "--tools --agent --mcp-servers-config --mcp-servers-json", ANYTHING, "reads and writes all your files, starts programs, connects to any port" },
    { "bench, completion, serve", 0, "reads the files that words name" },
    { "quantize", 0, "reads the files that words name, writes in their folders" },
    { nullptr, 0, nullptr },
};

const sandbox_need * sandbox_needs() {
    return NEEDS;
}

static std::string variable(const char * name) {
    return environment_get(name);
}

static fs::path home() {
    return fs::u8path(variable("HOME"));
}

// A file with its other shards; upstream finds these by name.
static void add_weights(sandbox_policy & policy, const std::string & path) {
    static const char MARK[] = "00001-of-"; // of "NAME-00001-of-00003.gguf"
    if (path.rfind("/zip/", 0) == 0) {
        return; // a member of a bundle
    }
    policy.reads.push_back(path);
    const size_t at    = path.rfind(MARK);
    const int    count = at == std::string::npos ? 0 : std::atoi(path.c_str() + at + sizeof(MARK) - 1);
    for (int shard = 2; shard <= std::min(count, 99999); shard++) {
        char number[16];
        snprintf(number, sizeof(number), "%05d", shard);
        policy.reads.push_back(std::string(path).replace(at, 5, number));
    }
}

// A value that may be a list, of items that may end in `:SCALE`.
static void add_files(sandbox_policy & policy, const std::string & option, const std::string & value) {
    add_weights(policy, value);
    if (!option_is_list(option)) {
        return;
    }
    for (const std::string & item : members_list_items(value)) {
        policy.reads.push_back(item);
        policy.reads.push_back(item.substr(0, item.rfind(':')));
    }
}

static int port_of(const std::string & url) {
    const size_t host  = url.find("://") == std::string::npos ? 0 : url.find("://") + 3;
    const size_t end   = std::min(url.find('/', host), url.size());
    const size_t colon = url.rfind(':', end);
    const int    port  = colon != std::string::npos && colon >= host ? std::atoi(url.c_str() + colon + 1) : 0;
    return port > 0 ? port : url.rfind("https", 0) == 0 ? 443 : 80;
}

// Whether the host of an address is a number, or this machine: other names are asked of the network.
static bool has_number(const std::string & url) {
    const size_t      start = url.find("://") == std::string::npos ? 0 : url.find("://") + 3;
    const std::string host  = url.substr(start, url.find('/', start) - start);
    return host.rfind("localhost", 0) == 0 || host.find_first_not_of("0123456789abcdefABCDEF.:[]") == std::string::npos;
}

// Where upstream puts what it downloads.
static void add_downloads(std::vector<std::string> & list) {
    const fs::path cache = variable("XDG_CACHE_HOME").empty() ? home() / ".cache" : fs::u8path(variable("XDG_CACHE_HOME"));
    list.push_back(variable("LLAMA_CACHE").empty() ? (cache / "llama.cpp").u8string() : variable("LLAMA_CACHE"));
    for (const char * name : { "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME" }) {
        if (!variable(name).empty()) {
            list.push_back(variable(name));
            return;
        }
    }
    list.push_back((cache / "huggingface").u8string());
}

static bool names(const sandbox_need & need, const std::string & option) {
    std::istringstream all(need.who);
    for (std::string one; all >> one;) {
        if (options_same(one, option)) {
            return true;
        }
    }
    return false;
}

void sandbox_policy_add(sandbox_policy & policy, run_mode mode, const std::string & option, const std::vector<std::string> & values) {
    const judged_option * judged = judged_option_find(option);
    for (const std::string & value : values) {
        if (judged && judged->how != opened_by::nothing) {
            add_files(policy, option, value);
        }
    }
    for (const sandbox_need * need = NEEDS; need->who; need++) {
        const bool serves = mode == run_mode::server || mode == run_mode::chat_and_server;
        if (need->rights == 0 || ((need->rights & SERVES) && !serves) || option.rfind("--no-", 0) == 0 || option.rfind("-no-", 0) == 0 || !names(*need, option)) {
            continue;
        }
        for (const std::string & value : values) {
            for (const auto & [right, list] : { std::pair(READS, &policy.reads), { WRITES, &policy.writes }, { WRITES_IN, &policy.writes_in }, { EXECUTES, &policy.executes } }) {
                if (need->rights & right) {
                    list->push_back(value);
                }
            }
            if (need->rights & CALLS) {
                policy.ports.push_back(port_of(value));
                policy.connects = policy.connects || !has_number(value);
            }
        }
        policy.connects = policy.connects || (need->rights & CONNECTS);
        policy.anything = policy.anything || (need->rights & ANYTHING);
        policy.children = policy.children || (need->rights & (EXECUTES | ANYTHING));
        if (need->rights & (DOWNLOADS | LISTS)) {
            add_downloads(need->rights & LISTS ? policy.reads : policy.writes_in);
        }
        const std::string more = "; " + option + ": " + need->words;
        if (need->rights != READS && policy.widened.find(more) == std::string::npos) {
            policy.widened += more;
        }
    }
}

// Options that are given as variables, such as LLAMA_ARG_MMPROJ.
static void add_environment(sandbox_policy & policy, run_mode mode) {
#ifndef _WIN32
    extern char ** environ;
    if (std::none_of(environ, environ + [] { size_t n = 0; while (environ[n]) { n++; } return n; }(),
                     [](const char * one) { return strncmp(one, "LLAMA_ARG_", 10) == 0; })) {
        return; // to ask for each option costs more than a start may
    }
#endif
    for (const judged_option & one : JUDGED_OPTIONS) {
        const std::string name  = options_environment(one.name);
        const std::string value = name.empty() ? "" : environment_get(name.c_str());
        if (!value.empty() && !common_arg_utils::is_falsey(value)) {
            sandbox_policy_add(policy, mode, one.name, { value });
        }
    }
}

// Where the chat's /upload reads: the folder of the start, or what is visible of a home folder.
static void add_folder(sandbox_policy & policy) {
    std::error_code error;
    const fs::path  here   = fs::current_path(error);
    const fs::path  at     = fs::weakly_canonical(home(), error);
    const fs::path  inside = at.lexically_relative(here);
    if (inside.empty() || *inside.begin() == "..") {
        policy.reads.push_back(here.u8string());
    } else if (inside == ".") {
        for (fs::directory_iterator one(here, error), end; !error && one != end; one.increment(error)) {
            if (one->path().filename().u8string().rfind('.', 0) != 0) {
                policy.reads.push_back(one->path().u8string());
            }
        }
    }
}

sandbox_policy sandbox_policy_of(const options & opts, const std::vector<std::string> & bundles) {
    sandbox_policy policy;
    policy.reads = bundles;
    policy.reads.push_back(module_dir_get());
    for (const given_option & option : opts.given) {
        sandbox_policy_add(policy, opts.mode, option.name, option.values);
    }
    if (opts.fetch_media) {
        sandbox_policy_add(policy, opts.mode, "--fetch-media", {});
    }
    add_environment(policy, opts.mode);
    if (opts.mode == run_mode::chat || opts.mode == run_mode::chat_and_server) {
        add_folder(policy);
    }
    return policy;
}

void sandbox_policy_add_words(sandbox_policy & policy, const std::vector<std::string> & words) {
    std::error_code error;
    for (size_t i = 1; i < words.size(); i++) {
        std::istringstream items(words[i]); // bench takes lists
        for (std::string item; std::getline(items, item, ',');) {
            if (fs::exists(fs::u8path(item), error)) {
                add_weights(policy, item);
            }
        }
        const fs::path folder = fs::absolute(fs::u8path(words[i]), error).parent_path();
        const bool is_path = fs::u8path(words[i]).has_parent_path() || fs::u8path(words[i]).extension() == ".gguf";
        if (words[0] == "quantize" && is_path && fs::is_directory(folder, error)) {
            policy.writes_in.push_back(folder.u8string());
        }
    }
}

static std::string mode_of(const options & opts) {
    const std::string named = environment_get(VARIABLE);
    const std::string mode  = !opts.sandbox.empty() ? opts.sandbox : !named.empty() ? named : opts.sandbox_own;
    options_sandbox_check(std::string(VARIABLE) + "=", mode);
    return mode;
}

bool sandbox_is_off(const options & opts) {
    return mode_of(opts) == "off";
}

void sandbox_pass_on(const options & opts) {
    environment_set(VARIABLE, mode_of(opts));
}

static sandbox_held held;
static std::string  said;

void sandbox_enter(const options & opts, sandbox_policy policy) {
    if (sandbox_is_off(opts)) {
        return;
    }
    if (policy.gpu) {
        policy.reads.push_back(gpu_cache());
    }
    std::error_code error;
    for (const std::string & folder : policy.writes_in) {
        fs::create_directories(fs::u8path(folder), error);
    }
    common_log_pause(common_log_main()); // its thread would stay outside
    held = sandbox_close(policy);
    common_log_resume(common_log_main());
    if (!held.lacks.empty() && mode_of(opts) == "require") {
        throw user_error("--sandbox require: this system cannot hold " + held.lacks + (held.how.empty() ? "" : " (it has " + held.how + ")"),
                         "--sandbox auto takes what there is; docs/security.md says what each system holds");
    }
    said = "sandbox: " + (held.how.empty() ? "none" : held.how) + (held.lacks.empty() ? "" : ", open: " + held.lacks) + policy.widened;
}

void sandbox_report(const options & opts) {
    if (!said.empty() && !opts.log_disable) {
        fprintf(stderr, "%s\n", said.c_str());
    }
    said.clear();
}

std::string sandbox_hint() {
    return held.how.empty() ? "" : "; the sandbox lets it read the folder where it was started, and --media-path FOLDER";
}
