#include "modes.h"

#include "chat.h"
#include "crash_guard.h"
#include "request_rules.h"
#include "router.h"
#include "sandbox.h"
#include "server_address.h"
#include "server_params.h"
#include "temporary_file.h"
#include "terminal.h"
#include "user_error.h"

#include "common.h"
#include "llama.h"
#include "log.h"

#include <algorithm>
#include <atomic>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>

#ifdef _WIN32
#    define WIN32_LEAN_AND_MEAN
#    define NOMINMAX
#    include <windows.h>
#    include <io.h>
#    define write_fd _write
#else
#    include <unistd.h>
#    define write_fd write
#endif

int  llama_server(common_params & params, int argc, char ** argv);
void llama_server_terminate();

static std::atomic<bool> loading{ false };

static void leave_now(int status) {
    chat_restore_terminal();
    _exit(status);
}

static void on_interrupt(int) {
    // Upstream cannot stop a load that has begun.
    if (loading.load()) {
        leave_now(130);
    }
    chat_interrupt();
}

static void on_terminate(int) {
    leave_now(143);
}

static void signals_install() {
    crash_guard_install(chat_restore_terminal);
#ifdef _WIN32
    SetConsoleCtrlHandler([](DWORD type) -> BOOL {
        if (type != CTRL_C_EVENT) {
            return FALSE;
        }
        on_interrupt(SIGINT);
        return TRUE;
    }, TRUE);
#else
    struct sigaction action{};
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_interrupt; // without SA_RESTART: a Ctrl-C must end the wait for a key
    sigaction(SIGINT, &action, nullptr);
    action.sa_handler = on_terminate;
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGHUP, &action, nullptr);
    signal(SIGPIPE, SIG_IGN);
#endif
}

static std::string random_key() {
    std::random_device random;
    std::string        key;
    for (int i = 0; i < 32; i++) {
        key += "0123456789abcdef"[random() % 16];
    }
    return key;
}

// How far the model has been loaded, on a terminal.
static bool show_progress(float progress, void *) {
    static int shown = -1;
    const int  percent = (int) (progress * 100);
    if (percent != shown) {
        shown = percent;
        fprintf(stderr, percent >= 100 ? "\r\033[K" : "\rloading the model: %d %%", percent);
        fflush(stderr);
    }
    return true;
}

// Runs upstream's server in a thread of this process.
struct server_thread {
    std::atomic<bool> ended{ false };
    std::string       failure; // once it has ended
    std::thread       thread;

    explicit server_thread(common_params params) {
        thread = std::thread([this, params]() mutable {
            crash_guard_thread();
            try {
                llama_server(params, 0, nullptr);
            } catch (const std::exception & error) {
                failure = error.what();
            }
            ended.store(true);
        });
    }

    ~server_thread() {
        if (!ended.load()) {
            llama_server_terminate();
        }
        thread.join();
    }
};

static chat_options chat_settings(const options & opts, const common_params & server) {
    common_params params = server;
    options_apply(opts, LLAMA_EXAMPLE_CLI, params);

    chat_options settings;
    settings.system_prompt = !params.system_prompt.empty() ? params.system_prompt : params.prompt;
    settings.multiline     = params.multiline_input;
    settings.simple_io     = params.simple_io;
    settings.color         = opts.value("--color") != "off"; // the chat itself asks the terminal
    settings.single_turn   = params.single_turn;
    settings.images        = params.image;
    settings.server_base   = params.server_base;
    settings.api_key       = params.api_keys.empty() ? "" : params.api_keys.front();
    return settings;
}

int mode_chat(options & opts, const std::string & model) {
    std::setlocale(LC_NUMERIC, "C");

    const bool serves = opts.mode == run_mode::chat_and_server;
    if (opts.find("--server-base")) {
        common_params params = params_default();
        options_apply(opts, LLAMA_EXAMPLE_SERVER, params);
        signals_install();
        return chat_run(chat_settings(opts, params));
    }

    // The server's log has no place in a chat.
    common_params params = server_params(opts, LOG_LEVEL_ERROR);
    if (!serves) {
        // Nobody else is meant to find this server: any free port, and a key that nobody knows.
        params.api_keys = { random_key() };
        params.ui       = false;
        params.ssl_file_key.clear();
        router_add_child_words({ "--api-key", params.api_keys.front() });
    }
    if (!model.empty()) {
        // Upstream's flag alone would do until the model is loaded.
        router_add_child_words({ "--log-disable", "--verbosity", std::to_string(LOG_LEVEL_ERROR) });
    }
    const server_address & address = server_address_take(params);
    sandbox_report(opts);
    server_rules_set(params, opts, router_has_media());
    request_begin_set(crash_guard_thread);
    llama_backend_init();
    llama_numa_init(params.numa);
    if (terminal_error_is_tty()) {
        params.load_progress_callback = show_progress;
    }

    loading.store(true);
    signals_install();

    int status = 1;
    {
        server_thread server(params);
        const bool    ready = server_wait(address.url, [&]() { return server.ended.load(); });
        loading.store(false);
        if (!ready && !server.failure.empty()) {
            throw user_error(server.failure, "--help says what each option takes");
        }
        if (!ready) {
            throw user_error((model.empty() ? opts.value("--model") : model) + ": the model could not be loaded",
                             "the lines above say why; -v shows the whole log");
        }

        chat_options settings = chat_settings(opts, params);
        settings.server_base  = address.url;
        settings.server_ended = &server.ended;
        settings.model        = model;
        settings.title        = model.empty() ? opts.value("--alias") : model;
        if (serves) {
            settings.title += "  " + address.url + (address.note.empty() ? "" : " (" + address.note + ")");
        }
        status = chat_run(settings);
        fflush(stdout);
    }
    temporary_files_remove();
    return status;
}
