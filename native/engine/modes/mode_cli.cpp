#include "modes.h"

#include "sandbox.h"
#include "terminal.h"
#include "upstream.h"
#include "user_error.h"

int llama_completion(int argc, char ** argv);

static bool has_prompt(const options & opts) {
    return opts.find("--prompt") || opts.find("--file") || opts.find("--binary-file");
}

int mode_cli(options opts) {
    const bool is_conversation = opts.find("--conversation");
    if (!is_conversation) { // no template is filled in, so a broken one must not matter; upstream reads it all the same
        opts.remove("--chat-template-file");
        opts.remove("--chat-template");
        opts.add("--chat-template", "chatml");
        if (!has_prompt(opts) && !terminal_input_is_tty()) {
            opts.add("--file", "-");
        }
    }
    std::vector<std::string> argv = options_argv(opts, LLAMA_EXAMPLE_COMPLETION);
    sandbox_report(opts);
    // Upstream would start a conversation with any model that has a chat template.
    argv.push_back(is_conversation ? "--jinja" : "--no-conversation");
    if (opts.log_disable) {
        // Upstream's own flag mutes the answer too; errors stay.
        argv.insert(argv.end(), { "--verbosity", "1" });
    }
    const int status = upstream_run(llama_completion, argv);
    if (status < 0) {
        throw user_error("there is no text to complete", "-p TEXT gives one, -f FILE reads one, and so does a pipe into --cli");
    }
    if (status > 0) {
        throw user_error(opts.value("--model") + ": no answer could be made", "the lines above say why; -v shows the whole log");
    }
    return status;
}
