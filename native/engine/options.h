// What the words of a start mean: our own flags, and upstream's for each of its programs.
#pragma once

#include "words.h"

#include "arg.h"

#include <string>
#include <vector>

enum class run_mode {
    unset,
    chat_and_server, // no mode flag, in a terminal
    chat,            // --chat
    server,          // --server
    cli,             // --cli
};

// One option as it was given, with the values that upstream's tables say it takes.
struct given_option {
    std::string              name;   // as typed, such as "-c"
    std::vector<std::string> values; // none, one or two
    bool                     is_default = false;
    bool                     is_data    = false; // said by a file that did not bring this engine
    size_t                   at         = 0;     // its place among the words
};

struct options {
    run_mode                  mode = run_mode::unset;
    std::vector<given_option> given;

    bool help        = false;
    bool version     = false;
    bool licenses    = false;
    bool verify      = false;
    bool no_browser  = false;
    bool log_disable = false;
    bool recompile   = false;
    bool no_compile  = false;
    bool print_all   = false;
    bool trust_args  = false;
    bool https       = false;
    bool fetch_media = false;
    bool no_chat     = false; // the model has no chat template, and none is named

    bool probe_template = false; // --probe-template
    bool probe_memory   = false; // --probe-memory

    std::string gpu;    // --gpu, empty if not given
    std::string cpu;    // --cpu, likewise
    std::string config; // --config, likewise

    std::string sandbox;     // --sandbox of the user's, likewise; --unsecure is "off"
    std::string sandbox_own; // of the file's own arguments, which may not weaken it

    std::string print_env; // --print-env, likewise

    std::vector<std::string> allowed_origins; // --allow-origin

    // The last option of this name (any of its spellings, such as "-m" for "--model"), or null.
    const given_option * find(const std::string & name) const;

    // Its last value, or "".
    std::string value(const std::string & name) const;

    void add(const std::string & name, const std::string & value);
    void remove(const std::string & name);
};

// Whether the model embeds texts or ranks documents, and does nothing else.
bool options_embed(const options & opts);

// Upstream's defaults, with the port that bundles have always had: upstream's own has moved.
common_params params_default();

// Sorts words into our flags and upstream's options. Throws user_error for a word that none of
// upstream's programs knows and for a missing value.
// `data` is the path of the file that the defaults are from if it did not bring this engine, else "":
// of its options those that native/options.toml does not judge to be about the model are refused.
options options_parse(const std::vector<word> & words, const std::string & data = "");

// Prints every option of upstream's programs as JSON: its spellings, how many values it takes.
void options_print();

// The command line for one of upstream's programs: of the options given, those that it knows.
std::vector<std::string> options_argv(const options & opts, llama_example example);

// The values of `--allow-origin`, which may hold several.
std::vector<std::string> options_origins(const std::string & value);

// Lets the options that `example` knows act on `params`, for programs whose loop we replace.
void options_apply(const options & opts, llama_example example, common_params & params);

// Throws user_error unless the mode is one of --sandbox, or "". `by` names who says it.
void options_sandbox_check(const std::string & by, const std::string & mode);

// Throws user_error for a value that upstream's program `example` would end at, once members have been resolved.
void options_check(const options & opts, llama_example example);

// Lets these options of the server alone act on `params`, the environment's values before those given.
void options_apply_some(const options & opts, const std::vector<std::string> & names, common_params & params);

// The environment variable that upstream takes an option from, or "".
std::string options_environment(const std::string & name);

// True if both are spellings of one option of upstream's, such as "-m" and "--model".
bool options_same(const std::string & a, const std::string & b);
