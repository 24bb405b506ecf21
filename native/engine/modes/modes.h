// What the program does after its options are settled: one function per mode. Each returns the
// exit status of the process.
#pragma once

#include "options.h"

#include <string>
#include <vector>

// A raw completion of `-p`, or of stdin where that is not a terminal: upstream's `llama completion`
// without its conversation mode.
int mode_cli(options opts);

// The HTTP server alone, also that of several models with the options that router_prepare() has made.
// Opens the web UI when there is a desktop.
int mode_server(const options & opts);

// The process of one model behind the router.
int mode_router_child(const options & opts);

// Upstream's server with words of its own; `opts` has what upstream does not know.
int mode_serve(const std::vector<std::string> & words, const options & opts);

// The terminal chat, with the HTTP server beside it in run_mode::chat_and_server.
// `model` is the one of several to start with, "" where there is one.
int mode_chat(options & opts, const std::string & model);

// Prints the variables with which the client that --print-env names finds this server; starts nothing.
// `model` is the first of several, or "".
int mode_print_env(const options & opts, const std::string & model);

// Answers a request on stdin about a chat template, with JSON on stdout: see mode_probe.cpp.
int mode_probe_template(const options & opts);

// Hashes all members of the bundle at `path` and compares them with its manifest.
int mode_verify(const std::string & path);

// Prints as JSON what memory the start of the chosen model would take; loads no weights.
int mode_probe_memory(const options & opts);
