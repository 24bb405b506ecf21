#include "help.h"

#include "options.h"
#include "sandbox.h"

#include "arg.h"

#include <cstdio>

static const char * const MANUAL = R"(NAME
    %1$s - a language model and the program that runs it, in one file

SYNOPSIS
    %1$s [--chat] [-p SYSTEM_PROMPT] [OPTIONS]
    %1$s --server [--host HOST] [--port PORT] [OPTIONS]
    %1$s --cli -p PROMPT [-n TOKENS] [OPTIONS]

DESCRIPTION
    Without a mode flag it chats in the terminal, and serves the web UI and an OpenAI-compatible API
    at http://127.0.0.1:8080 meanwhile, and Anthropic's and Ollama's beside it. Started without a terminal it opens the web UI in the browser.
    With -p or -f and no mode flag it completes the prompt, as with --cli.

MODES
    --chat           chat in the terminal only; -p is the system prompt
    --server         serve HTTP only
    --cli            print a raw completion of -p or -f, for scripts

OPTIONS
    -m FILE          other weights: a .gguf, or another bundle
    -m NAME          where this file serves several models: that one alone
    -c N             context size in tokens; 0 is the size that the model was trained with
                     (default: 8192, or the trained size where that is smaller)
    -ngl N           how many layers to put on the GPU; 999 is all of them, 0 keeps the GPU out
                     (default: as many as fit)
    --gpu KIND       auto, disable, a maker (nvidia, amd, intel, apple) or a way to get at the card
                     (cuda, metal, vulkan). Anything but auto is an error where it cannot be had
    --cpu NAME       the CPU variant that computes, such as haswell (default: the fastest that runs
                     here); a wrong name lists them
    --recompile      compile a GPU module for this very machine, with the toolkit that it has
    --nocompile      do not, even if --recompile stands in this file
    -n N             how many tokens to write at most
    --temp T         temperature; 0 always takes the likeliest token
    -e               take \n and other escapes in -p
    --special        print special tokens too
    --host HOST      address to serve at (default: 127.0.0.1)
    --port PORT      port to serve at (default: 8080, or the next free one; 0 is any that is free)
    --allow-origin SITE
                     lets pages of another site use the server: example.com, https://example.com, or *
    --https          serve HTTPS, with a certificate that is made here and kept for a year
    --ssl-key-file FILE, --ssl-cert-file FILE
                     serve HTTPS with a key and a certificate of yours
    --fetch-media    fetch pictures and sound that requests name by address (http: and https:)
    -hf USER/MODEL[:QUANT]
                     weights of the Hugging Face Hub, kept in its cache; --offline takes what is there
    --nobrowser      do not open a browser
    --print-env CLIENT
                     print the variables with which openai, anthropic or ollama programs find the server
    --config FILE    more options, as lines `KEY = VALUE`; no other config file is read
    --trust-args     obey all arguments of the file that -m names, not only those about the model
    --sandbox MODE   auto (default), require (start nothing that the system cannot hold) or off; see below
    --unsecure       the same as --sandbox off
    --log-disable    no log, only the answer
    --licenses       print the licences of the software in this file
    --verify         compare all of this file with the hashes that it was packed with
    --version        print versions
    --print-options  print all options as JSON
    -h, --help       print this manual

    /zip/NAME in place of a file's name is a member of this file.

IN THE CHAT
    /help lists the commands. Ctrl-C stops an answer, Ctrl-D leaves.

EXAMPLES
    %1$s --chat -p "You are a pirate."
    %1$s --server --nobrowser --host 0.0.0.0
    %1$s --cli -p "four score and seven" -n 16 --temp 0 --log-disable
    curl http://localhost:8080/v1/chat/completions -H "Content-Type: application/json" \
        -d '{"messages": [{"role": "user", "content": "Say this is a test!"}]}'

ENVIRONMENT
    LLAMAPACK_CACHE  folder for the unpacked engine, in place of ~/.cache/llamapack
    LLAMAPACK_CPU    what --cpu names, where it is not given
    LLAMAPACK_SANDBOX
                     what --sandbox says, where it is not given
    SSL_CERT_FILE    certificate authorities to trust, in place of the system's
    HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT
                     as all programs of the Hub know them
    LLAMA_ARG_...    upstream's options, as listed below

LLAMA.CPP'S OPTIONS
    All of these pass through, in each mode where they mean something.

)";

static std::string sandbox_text() {
    std::string text = "SANDBOX\n    A start may do what it needs, and nothing else; docs/security.md says how each system holds it to that.\n\n";
    for (const sandbox_need * need = sandbox_needs(); need->who; need++) {
        text += std::string("    ") + need->who + "\n        " + need->words + "\n";
    }
    return text + "\n";
}


static void print_manual(const std::string & name) {
    const std::string mark = "%1$s";
    std::string       text = MANUAL;
    text.insert(text.find("ENVIRONMENT\n"), sandbox_text());
    for (size_t pos = text.find(mark); pos != std::string::npos; pos = text.find(mark, pos + name.size())) {
        text.replace(pos, mark.size(), name);
    }
    fputs(text.c_str(), stdout);
    fflush(stdout);
}

void help_print(const std::string & name) {
    print_manual(name);
    char          program[] = "llamapack";
    char          usage[]   = "--help";
    char *        argv[]    = { program, usage, nullptr };
    common_params params = params_default();
    common_params_parse(2, argv, params, LLAMA_EXAMPLE_SERVER); // prints and exits
}
