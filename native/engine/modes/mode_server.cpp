#include "modes.h"

#include "browser.h"
#include "helper.h"
#include "router.h"
#include "sandbox.h"
#include "server_address.h"
#include "server_params.h"
#include "upstream.h"
#include "user_error.h"

#include "llama.h"
#include "log.h"

#include <csignal>
#include <cstdio>

int llama_server(common_params & params, int argc, char ** argv);

static void announce(const server_address & address, const common_params & params, bool no_browser) {
    for (const std::string & other : address.others) {
        fprintf(stderr, "server: %s\n", other.c_str());
    }
    if (address.url.empty()) {
        return;
    }
    const std::string note = address.note.empty() ? "" : " (" + address.note + ")";
    fprintf(stderr, "%s: %s%s\n", params.ui ? "server and web UI" : "server", address.url.c_str(), note.c_str());

    if (!no_browser && browser_available()) {
        helper_browse();
    }
}

// `words` are those that upstream puts over the presets of all models.
static int server_run(common_params & params, const std::vector<std::string> & words = { "llamapack" }) {
#ifndef _WIN32
    signal(SIGPIPE, SIG_IGN);
#endif
    llama_backend_init();
    llama_numa_init(params.numa);
    return upstream_run([&params](int argc, char ** argv) { return llama_server(params, argc, argv); }, words);
}

int mode_server(const options & opts) {
    common_params          params  = server_params(opts, LOG_DEFAULT_LLAMA);
    const server_address & address = server_address_take(params);
    announce(address, params, opts.no_browser || options_embed(opts)); // which has no page
    sandbox_report(opts);
    server_rules_set(params, opts, router_has_media());
    const std::string name   = opts.find("--model") ? opts.value("--model") : std::string("the server");
    const int         status = server_run(params);
    if (status != 0) {
        throw user_error(name + ": it could not be served", "the lines above say why; -v shows the whole log");
    }
    return status;
}

int mode_router_child(const options & opts) {
    common_params params = server_params(opts, LOG_DEFAULT_LLAMA);
    server_address_take(params);
    server_rules_set(params, opts, false);
    return server_run(params);
}

int mode_serve(const std::vector<std::string> & words, const options & opts) {
    common_params          params  = server_params(words, LOG_DEFAULT_LLAMA);
    const server_address & address = server_address_take(params);
    announce(address, params, true);
    sandbox_report(opts);
    server_rules_set(params, opts, true);
    return server_run(params, words);
}
