#include "unsupported.h"

#include "user_error.h"

static const char * const DOWNLOADS[] = {
    "--hf-repo", "--hf-file", "--hf-repo-draft", "--model-url", "--mmproj-url", "--docker-repo", "--spec-draft-hf",
};

void unsupported_refuse(const options & opts) {
    for (const char * name : DOWNLOADS) {
        if (const given_option * option = opts.find(name)) {
            throw user_error(option->name + ": this engine has no TLS library and downloads nothing",
                             "download the .gguf with a browser or `wget`, and start with -m FILE.gguf");
        }
    }
    for (const char * name : { "--ssl-key-file", "--ssl-cert-file" }) {
        if (opts.find(name)) {
            throw user_error(std::string(name) + ": this engine has no TLS library and serves plain HTTP only",
                             "put a reverse proxy such as caddy or nginx in front of it");
        }
    }
}
