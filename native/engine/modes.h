// What the program does after its options are settled: one function per mode. Each returns the
// exit status of the process.
#pragma once

#include "options.h"

#include <string>

// A raw completion of `-p`, upstream's `llama completion` without its conversation mode.
int mode_cli(const options & opts);

// The HTTP server alone. Opens the web UI when there is a desktop.
int mode_server(options & opts);

// The terminal chat, with the HTTP server beside it in run_mode::chat_and_server.
int mode_chat(options & opts);
