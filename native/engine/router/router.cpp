#include "router.h"

#include "download.h"
#include "gpu_choice.h"
#include "members.h"
#include "parent.h"
#include "program_path.h"
#include "router_first_model.h"
#include "temporary_file.h"
#include "user_error.h"
#include "words.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>
#include <utility>

#ifndef _WIN32
#    include <arpa/inet.h>
#    include <netinet/in.h>
#    include <sys/socket.h>
#    include <unistd.h>
#endif

static constexpr size_t CHILD_PORTS = 64;

static const char ROUTER[]  = "LLAMAPACK_ROUTER";
static const char BUNDLE[]  = "LLAMAPACK_ROUTER_BUNDLE";
static const char WEIGHTS[] = "LLAMAPACK_ROUTER_WEIGHTS";
static const char ARGS[]    = "LLAMAPACK_ROUTER_ARGS";

// Upstream's mark of a process that its router has started.
static const char UPSTREAM_CHILD[] = "LLAMA_SERVER_ROUTER_PORT";

// Upstream's router keeps these to itself or sets them for each model.
static const char * const ROUTER_ONLY[] = {
    "--host", "--port", "--alias", "--api-key", "--api-key-file", "--ssl-key-file", "--ssl-cert-file",
    "--model", "--models-dir", "--models-preset", "--models-max", "--models-autoload",
};

static std::string & program_path() {
    static std::string path;
    return path;
}

static bool has_media = false;

bool router_has_media() {
    return has_media;
}

static bool is_router_only(const std::string & option) {
    return std::any_of(std::begin(ROUTER_ONLY), std::end(ROUTER_ONLY), [&](const char * name) { return options_same(option, name); });
}

// Whether a model's preset lacks the option, or must give way to it.
static bool takes(const common_preset & preset, const std::string & name, const std::string & first, const common_arg & arg, const given_option & option) {
    return (name == first || !models_is_weights(option.name)) && (!option.is_default || preset.options.count(arg) == 0);
}

// Puts what is given for all models into their presets. A model's own preset wins over the bundle's
// arguments, the user's words win over both.
static void presets_complete(common_presets & presets, const std::string & first, const options & opts, const common_preset_context & context, bundle & from) {
    std::set<std::pair<std::string, std::string>> done; // model and option
    for (const given_option & option : opts.given) {
        const auto known = context.key_to_opt.find(option.name.substr(option.name.find_first_not_of('-')));
        if (known == context.key_to_opt.end() || is_router_only(option.name)) {
            continue;
        }
        const common_arg & arg = known->second;
        if (option.values.size() > 1) {
            throw user_error(option.name + " cannot be given to several models", "choose one with -m NAME");
        }
        const bool        is_off = std::find(arg.args_neg.begin(), arg.args_neg.end(), option.name) != arg.args_neg.end();
        const std::string value  = option.values.empty() ? (is_off ? "false" : "true")
                                                         : members_name(option, option.values.back(), from);
        for (auto & [name, preset] : presets) {
            const std::pair<std::string, std::string> what(name, arg.args.back());
            if (done.count(what)) { // of options that add up there may be several
                preset.options[arg] += "," + value;
            } else if (takes(preset, name, first, arg, option)) {
                preset.options[arg] = value;
                done.insert(what);
            }
        }
    }
}

static std::string presets_text(const common_presets & presets) {
    std::string text;
    for (const auto & [name, preset] : presets) {
        for (const auto & [option, value] : preset.options) {
            if (value.find_first_of("#;\r\n") != std::string::npos) {
                throw user_error(std::string(option.args.back()) + " " + value + ": llama.cpp's presets end a value at `#`, `;` and line ends",
                                 "choose one model with -m NAME, or name the file without these");
            }
        }
        text += preset.to_ini();
    }
    return text;
}

// Ports for the children, where a sandbox that closes now has to know them.
static std::vector<int> child_ports;

#ifdef _WIN32
const std::vector<int> & router_child_ports() {
    return child_ports;
}
#else
// A socket at a port of this machine, 0 for any that is free; or -1.
static int port_open(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port   = htons((uint16_t) port);
    const int socket_  = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(socket_, (sockaddr *) &address, sizeof(address)) == 0) {
        return socket_;
    }
    close(socket_);
    return -1;
}

static void child_ports_find(size_t count) {
    std::vector<int> sockets; // open until all are found, so that each is another
    for (size_t i = 0; i < count; i++) {
        sockaddr_in address{};
        socklen_t   size = sizeof(address);
        sockets.push_back(port_open(0));
        if (getsockname(sockets.back(), (sockaddr *) &address, &size) == 0) {
            child_ports.push_back(ntohs(address.sin_port));
        }
    }
    for (const int one : sockets) {
        close(one);
    }
}

const std::vector<int> & router_child_ports() {
    if (child_ports.empty()) {
        child_ports_find(CHILD_PORTS);
    }
    return child_ports;
}

// In place of upstream's: the next of them that is still free.
int router_free_port() {
    router_child_ports();
    static std::atomic<size_t> next{ 0 };
    for (size_t i = 0; i < child_ports.size(); i++) {
        const int port    = child_ports[next++ % child_ports.size()];
        const int socket_ = port_open(port);
        if (socket_ >= 0) {
            close(socket_);
            return port;
        }
    }
    return -1;
}
#endif

// The router leaves the GPU to its children, but a wrong word is to be known now.
static void gpu_word_check(options opts, const std::string & program, const bundle & self) {
    opts.add("--n-gpu-layers", "0");
    gpu_choose(opts, self, program);
}

void router_prepare(options & opts, const bundle_models & models, const std::string & program, const bundle & self, bundle & from) {
    gpu_word_check(opts, program, self);
    program_path() = program;

    common_preset_context context(LLAMA_EXAMPLE_SERVER);
    common_presets        presets = models.presets;
    presets_complete(presets, models.first, opts, context, from);

    std::string ignored;
    if (!presets[models.first].get_option(COMMON_ARG_PRESET_LOAD_ON_STARTUP, ignored) && opts.value("--models-max") != "0") {
        presets[models.first].set_option(context, COMMON_ARG_PRESET_LOAD_ON_STARTUP, "true");
    }
    for (const auto & [name, preset] : presets) {
        has_media = has_media || preset.get_option("LLAMA_ARG_MMPROJ", ignored);
    }
    const std::string path = temporary_file_write(presets_text(presets));

    std::vector<std::string> words = { "--server", "--nobrowser" };
    for (const auto & [name, value] : { std::pair("--gpu", opts.gpu), { "--cpu", opts.cpu } }) {
        if (!value.empty()) {
            words.insert(words.end(), { name, value });
        }
    }
    for (const auto & [given, word] : { std::pair(opts.fetch_media, "--fetch-media"), { opts.log_disable, "--log-disable" } }) {
        if (given) {
            words.push_back(word);
        }
    }
#ifndef _WIN32
    child_ports_find(std::max<size_t>(CHILD_PORTS, 2 * presets.size()));
#endif
    environment_set(BUNDLE, self.path());
    environment_set(WEIGHTS, from.path());
    environment_set(ROUTER, process_number());
    router_add_child_words(words);

    opts.given.erase(std::remove_if(opts.given.begin(), opts.given.end(), [](const given_option & option) {
        return models_is_weights(option.name) || options_same(option.name, "--alias");
    }), opts.given.end());
    opts.remove("--models-preset");
    opts.add("--models-preset", path);
    members_resolve(opts, from);
    router_set_first_model(models.first);
}

void router_add_child_words(const std::vector<std::string> & words) {
    std::string text = environment_get(ARGS);
    for (const std::string & word : words) {
        text += (text.empty() ? "" : " ") + word;
    }
    environment_set(ARGS, text);
}

router_child router_child_read() {
    router_child      child;
    const std::string router = environment_get(ROUTER);
    if (!router.empty() && !environment_get(UPSTREAM_CHILD).empty()) {
        child = { true, environment_get(BUNDLE), environment_get(WEIGHTS), environment_get(ARGS), router };
    }
    for (const char * name : { ROUTER, BUNDLE, WEIGHTS, ARGS }) {
        environment_remove(name); // what this process starts is none of the router's
    }
    return child;
}

#if !defined(_WIN32) && !defined(__APPLE__)
// In place of readlink where upstream's router asks for its program by a link that only Linux has.
extern "C" ssize_t router_readlink(const char * link, char * path, size_t size) {
    // The program may be in memory only; the link leads there all the same.
    const std::string program = access(program_path().c_str(), X_OK) == 0 ? program_path() : link;
    const size_t      length  = std::min(size, program.size());
    memcpy(path, program.data(), length);
    return (ssize_t) length;
}
#endif

// In place of upstream's where its router lists models: those of this file, not of the user's disk.
std::vector<common_cached_model_info> router_list_cached_models() {
    return {};
}
