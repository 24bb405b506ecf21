#include "modes.h"

#include "browser.h"
#include "server_address.h"
#include "server_params.h"
#include "upstream.h"

#include "llama.h"
#include "log.h"

#include <csignal>
#include <cstdio>
#include <thread>

int llama_server(int argc, char ** argv);
int llama_server(common_params & params, int argc, char ** argv);

static void announce(options & opts) {
    const std::string note = server_address_choose(opts);
    const std::string url  = server_url(opts);
    fprintf(stderr, "server and web UI: %s%s%s%s\n", url.c_str(), note.empty() ? "" : " (", note.c_str(), note.empty() ? "" : ")");

    if (!opts.no_browser && browser_available()) {
        std::thread([url]() {
            if (server_wait(url, []() { return false; })) {
                browser_open(url);
            }
        }).detach();
    }
}

int mode_server(options & opts) {
    announce(opts);
    return mode_router_child(opts);
}

int mode_router_child(const options & opts) {
    std::vector<std::string> argv = options_argv(opts, LLAMA_EXAMPLE_SERVER);
    if (opts.log_disable) {
        argv.push_back("--log-disable");
    }
    return upstream_run(llama_server, argv);
}

int mode_router(options & opts) {
    announce(opts);
#ifndef _WIN32
    signal(SIGPIPE, SIG_IGN);
#endif
    common_params params = server_params(opts, LOG_DEFAULT_LLAMA);
    llama_backend_init();

    // Upstream would put more words over the presets of all models.
    char      name[] = "llamapack";
    char *    argv[] = { name, nullptr };
    const int status = llama_server(params, 1, argv);
    common_log_flush(common_log_main());
    return status;
}
