#include "modes.h"

#include "browser.h"
#include "server_address.h"
#include "upstream.h"

#include <cstdio>
#include <thread>

int llama_server(int argc, char ** argv);

int mode_server(options & opts) {
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

    std::vector<std::string> argv = options_argv(opts, LLAMA_EXAMPLE_SERVER);
    if (opts.log_disable) {
        argv.push_back("--log-disable");
    }
    return upstream_run(llama_server, argv);
}
