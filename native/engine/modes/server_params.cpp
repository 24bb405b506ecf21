#include "server_params.h"

#include "server-stream.h"
#include "user_error.h"

#include <clocale>
#include <cstdlib>

// Upstream embeds a text in one batch, and refuses longer ones.
static constexpr int EMBEDDING_BATCH = 2048; // tokens

common_params server_params(const options & opts, int verbosity) {
    std::vector<std::string> words = options_argv(opts, LLAMA_EXAMPLE_SERVER);
    if (opts.log_disable) {
        words.push_back("--log-disable");
    }
    common_params params = server_params(std::move(words), verbosity);
    if ((params.embedding || opts.no_chat) && !opts.find("--ui") && params.public_path.empty()) {
        params.ui = false; // its pages chat
    }
    if (params.embedding && !opts.find("--batch-size") && !opts.find("--ubatch-size")) {
        params.n_batch = params.n_ubatch = EMBEDDING_BATCH;
    }
    return params;
}

common_params server_params(std::vector<std::string> words, int verbosity) {
    std::setlocale(LC_NUMERIC, "C");

    std::vector<char *> argv;
    for (auto & one : words) {
        argv.push_back(&one[0]);
    }
    common_params params = params_default();
    params.verbosity = verbosity;
    common_init();
    server_stream_session_manager_start();
    if (!common_params_parse((int) argv.size(), argv.data(), params, LLAMA_EXAMPLE_SERVER)) {
        throw user_error("a value is not taken", "the lines above say which; --help lists all options");
    }
    return params;
}
