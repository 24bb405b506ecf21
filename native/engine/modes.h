// What the program does after its options are settled: one function per mode. Each returns the
// exit status of the process.
#pragma once

#include "options.h"

#include <string>

// A raw completion of `-p`, upstream's `llama completion` without its conversation mode.
int mode_cli(const options & opts);

// The HTTP server alone. Opens the web UI when there is a desktop.
int mode_server(options & opts);

// The same for several models, with the options that router_prepare() has made.
int mode_router(options & opts);

// The process of one model behind the router.
int mode_router_child(const options & opts);

// The terminal chat, with the HTTP server beside it in run_mode::chat_and_server.
// `model` is the one of several to start with, "" where there is one.
int mode_chat(options & opts, const std::string & model);
