#include "downloads.h"

#include "models.h"
#include "program_path.h"
#include "sha256.h"
#include "tls.h"
#include "user_error.h"

#include "common.h"
#include "download.h"
#include "log.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>

namespace fs = std::filesystem;

static const char * const MODEL[] = { "--hf-repo", "--hf-file", "--model-url", "--docker-repo" };
static const char * const DRAFT[] = { "--spec-draft-hf" };
static const char * const MMPROJ[] = { "--mmproj-url" };

//
// What went wrong
//

static std::mutex    log_mutex;
static bool          log_is_kept = false;
static std::string   log_kept; // the first error

// In place of upstream's log in what downloads: a failure is told once, at its end.
void download_log_add(struct common_log * log, enum ggml_log_level level, const char * format, ...) {
    char    text[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);

    std::lock_guard<std::mutex> lock(log_mutex);
    if (!log_is_kept) {
        common_log_add(log, level, "%s", text);
    } else if (level == GGML_LOG_LEVEL_ERROR && log_kept.empty()) {
        log_kept = text;
        log_kept.erase(log_kept.find_last_not_of('\n') + 1);
        for (size_t colon; (colon = log_kept.find(": ")) != std::string::npos && log_kept.find(' ') > colon;) {
            log_kept.erase(0, colon + 2); // "function: error: "
        }
    }
}

static void log_keep(bool is_kept) {
    std::lock_guard<std::mutex> lock(log_mutex);
    log_is_kept = is_kept;
    log_kept.clear();
}

static user_error failure(const std::string & what, const common_params & params, const std::string & reason) {
    const std::string refused = tls_failure();
    if (!refused.empty()) {
        return { what + ": the certificate of the server is not trusted: " + refused, "if it is yours: SSL_CERT_FILE=FILE.pem names the authority that signed it" };
    }
    if (params.offline) {
        return { what + ": is not in the cache, and --offline was given", "start once without --offline" };
    }
    return { what + ": cannot be downloaded" + (reason.empty() ? "" : ": " + reason),
             "check the name and the connection, or download the .gguf by other means and start with -m FILE.gguf" };
}

//
// Contents
//

static std::string sha256_of(const fs::path & path) {
    std::ifstream     file(path, std::ios::binary);
    std::vector<char> block(1 << 20);
    struct sha256     hash;
    uint8_t           digest[32];
    char              hex[65];
    sha256_begin(&hash);
    while (file.read(block.data(), (std::streamsize) block.size()), file.gcount() > 0) {
        sha256_add(&hash, block.data(), (size_t) file.gcount());
    }
    sha256_end(&hash, digest);
    sha256_hex(digest, hex);
    return hex;
}

// In place of upstream's, which compares no contents: large files of the Hub are named by their SHA-256.
void download_run_checked(const std::vector<common_download_task> & tasks) {
    std::vector<const common_download_task *> fresh;
    for (const common_download_task & task : tasks) {
        if (!fs::exists(fs::u8path(task.local_path))) {
            fresh.push_back(&task);
            fprintf(stderr, "fetching %s\n", task.url.c_str());
        }
    }
    common_download_run_tasks(tasks);
    for (const common_download_task * task : fresh) {
        const fs::path    path = fs::u8path(task->local_path);
        const std::string name = path.filename().u8string();
        if (!task->is_hf || name.size() != 64 || name.find_first_not_of("0123456789abcdef") != std::string::npos) {
            continue;
        }
        const std::string actual = sha256_of(path);
        if (actual != name) {
            std::error_code error;
            fs::remove(path, error);
            throw std::runtime_error(task->url + " has the SHA-256 " + actual + ", and the Hub states " + name);
        }
    }
}

//
// The options
//

template <size_t N> static std::string named_by(const options & opts, const char * const (&names)[N]) {
    for (const char * name : names) {
        if (opts.find(name)) {
            return opts.value(name);
        }
    }
    return "";
}

template <size_t N> static void settle(options & opts, const char * const (&names)[N], const char * option, const std::string & path) {
    for (const char * name : names) {
        opts.remove(name);
    }
    if (!path.empty()) {
        opts.remove(option);
        opts.given.push_back({ option, { path } });
    }
}

// Programs that are started with other weights share the environment.
static void environment_ignore() {
    for (const char * name : { MODEL[0], MODEL[1], MODEL[2], MODEL[3], DRAFT[0], MMPROJ[0] }) {
        const std::string variable = options_environment(name);
        if (!variable.empty() && !environment_get(variable.c_str()).empty()) {
            fprintf(stderr, "%s is ignored: give %s on the command line\n", variable.c_str(), name);
            environment_remove(variable.c_str());
        }
    }
}

void downloads_fetch(options & opts) {
    environment_ignore();
    const std::string model = named_by(opts, MODEL), draft = named_by(opts, DRAFT), mmproj = named_by(opts, MMPROJ);
    const std::string what  = !model.empty() ? model : !draft.empty() ? draft : mmproj;
    if (what.empty()) {
        return;
    }
    options said = opts; // where files are to go, not what the bundle holds
    said.given.erase(std::remove_if(said.given.begin(), said.given.end(), [](const given_option & one) { return one.is_default && models_is_weights(one.name); }), said.given.end());
    common_params params = params_default();
    options_apply(said, LLAMA_EXAMPLE_SERVER, params);
    params.hf_token = params.hf_token.empty() ? environment_get("HF_TOKEN") : params.hf_token;
    params.offline  = params.offline || !environment_get("LLAMA_ARG_OFFLINE").empty();

    log_keep(true);
    try {
        common_models_handler handler = common_models_handler_init(params, LLAMA_EXAMPLE_SERVER);
        if (common_models_handler_is_preset_repo(handler)) {
            throw user_error(what + ": is a list of options for other models, not a model", "name one of its models");
        }
        common_models_handler_apply(handler, params);
    } catch (const user_error &) {
        throw;
    } catch (const std::exception & error) {
        throw failure(what, params, error.what());
    }
    if ((!model.empty() && params.model.path.empty()) || (!draft.empty() && params.speculative.draft.mparams.path.empty())) {
        throw failure(what, params, log_kept);
    }
    if (!log_kept.empty()) {
        fprintf(stderr, "%s: %s; using what was fetched before\n", what.c_str(), log_kept.c_str());
    }
    log_keep(false);
    settle(opts, MODEL, "--model", model.empty() ? "" : params.model.path);
    settle(opts, DRAFT, "--model-draft", draft.empty() ? "" : params.speculative.draft.mparams.path);
    settle(opts, MMPROJ, "--mmproj", params.mmproj.path);
}
