#include "modes.h"

#include "upstream.h"

int llama_completion(int argc, char ** argv);

int mode_cli(const options & opts) {
    std::vector<std::string> argv = options_argv(opts, LLAMA_EXAMPLE_COMPLETION);
    if (!opts.find("--conversation")) {
        // Upstream would start a conversation with any model that has a chat template.
        argv.push_back("--no-conversation");
    }
    if (opts.log_disable) {
        // Upstream's own flag mutes the answer too; errors stay.
        argv.insert(argv.end(), { "--verbosity", "1" });
    }
    return upstream_run(llama_completion, argv);
}
