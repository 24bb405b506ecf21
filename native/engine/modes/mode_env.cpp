#include "modes.h"

#include "server_address.h"
#include "user_error.h"

#include "common.h"

#include <algorithm>
#include <cstdio>

struct client_environment {
    const char *                                     name;
    std::vector<std::pair<std::string, std::string>> (*variables)(const std::string & url, const std::string & key, const std::string & model);
};

static const client_environment CLIENTS[] = {
    { "openai", [](const std::string & url, const std::string & key, const std::string & model) {
         return std::vector<std::pair<std::string, std::string>>{
             { "OPENAI_BASE_URL", url + "/v1" }, { "OPENAI_API_BASE", url + "/v1" }, { "OPENAI_API_KEY", key }, { "OPENAI_MODEL", model },
         };
     } },
    { "anthropic", [](const std::string & url, const std::string & key, const std::string & model) {
         return std::vector<std::pair<std::string, std::string>>{
             { "ANTHROPIC_BASE_URL", url }, { "ANTHROPIC_AUTH_TOKEN", key }, { "ANTHROPIC_MODEL", model },
             { "ANTHROPIC_DEFAULT_HAIKU_MODEL", model }, { "ANTHROPIC_SMALL_FAST_MODEL", model },
         };
     } },
    { "ollama", [](const std::string & url, const std::string & key, const std::string & model) {
         return std::vector<std::pair<std::string, std::string>>{
             { "OLLAMA_HOST", url }, { "OLLAMA_API_KEY", key }, { "OLLAMA_MODEL", model },
         };
     } },
};

static std::string quoted(std::string text) {
#ifdef _WIN32
    const std::string escaped = "''"; // PowerShell
#else
    const std::string escaped = "'\\''";
#endif
    string_replace_all(text, "'", escaped);
    return "'" + text + "'";
}

int mode_print_env(const options & opts, const std::string & model) {
    const auto it = std::find_if(std::begin(CLIENTS), std::end(CLIENTS), [&](const client_environment & one) { return opts.print_env == one.name; });
    if (it == std::end(CLIENTS)) {
        throw user_error("--print-env " + opts.print_env + ": there is no such client", "openai, anthropic or ollama");
    }
    common_params params = params_default();
    options_apply(opts, LLAMA_EXAMPLE_SERVER, params);
    if (params.port <= 0) {
        throw user_error("--print-env: the port is not known before the server starts", "name one with --port");
    }
    std::string host = params.hostnames.empty() ? "127.0.0.1" : params.hostnames.front();
    host = host == "0.0.0.0" || host == "::" ? "127.0.0.1" : host.find(':') != std::string::npos ? "[" + host + "]" : host;

    const std::string url = (opts.https || server_is_tls(params) ? "https://" : "http://") + host + ":" + std::to_string(params.port) + params.api_prefix;
    const std::string key = params.api_keys.empty() ? "none" : params.api_keys.front();
    std::string       name = model.empty() ? opts.value("--alias") : model;
    if (name.empty()) {
        name = params.model.path.empty() ? "default" : params.model.get_name();
        name = name.substr(0, name.rfind(".gguf")); // as the server calls it
    }
    for (const auto & [variable, value] : it->variables(url, key, name)) {
#ifdef _WIN32
        printf("$env:%s = %s\n", variable.c_str(), quoted(value).c_str());
#else
        printf("export %s=%s\n", variable.c_str(), quoted(value).c_str());
#endif
    }
    return 0;
}
