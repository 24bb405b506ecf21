#include "unsupported.h"

#include "program_path.h"
#include "user_error.h"

#include <cstdio>

static bool is_set(const std::string & variable) {
    return !variable.empty() && !environment_get(variable.c_str()).empty();
}

static const char * const DOWNLOADS[] = {
    "--hf-repo", "--hf-file", "--hf-repo-draft", "--model-url", "--mmproj-url", "--docker-repo", "--spec-draft-hf",
};

void unsupported_refuse(const options & opts) {
    for (const char * name : DOWNLOADS) {
        if (const given_option * option = opts.find(name)) {
            throw user_error(option->name + ": this engine has no TLS library and downloads nothing",
                             "download the .gguf with a browser or `wget`, and start with -m FILE.gguf");
        }
        const std::string variable = options_environment(name);
        if (is_set(variable)) {
            fprintf(stderr, "%s is ignored: this engine has no TLS library and downloads nothing\n", variable.c_str());
            environment_remove(variable.c_str());
        }
    }
    for (const char * name : { "--ssl-key-file", "--ssl-cert-file" }) {
        const std::string variable = options_environment(name);
        if (opts.find(name) || is_set(variable)) {
            throw user_error((opts.find(name) ? name : variable) + ": this engine has no TLS library and serves plain HTTP only",
                             "put a reverse proxy such as caddy or nginx in front of it");
        }
    }
}
