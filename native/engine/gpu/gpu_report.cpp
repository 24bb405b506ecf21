#include "gpu_report.h"

#include "llama.h"

#include <cstdio>
#include <cstring>
#include <string>

struct wrapped_log {
    ggml_log_callback callback;
    void *            data;
};

static std::string & report() {
    static std::string what;
    return what;
}

static wrapped_log & upstream_log() {
    static wrapped_log log{};
    return log;
}

void gpu_report_set(const std::string & what) {
    report() = what;
}

void gpu_report_mute() {
    report().clear();
}

// llama.cpp tells only its log how many layers went where.
static void log_watch(ggml_log_level level, const char * text, void *) {
    int         layers = 0, all = 0;
    const char * line = strstr(text, "offloaded ");
    if (line && !report().empty() && sscanf(line, "offloaded %d/%d layers", &layers, &all) == 2) {
        fprintf(stderr, "GPU: %s, %d/%d layers\n", report().c_str(), layers, all);
        report().clear(); // a draft model is loaded after it
    }
    if (upstream_log().callback) {
        upstream_log().callback(level, text, upstream_log().data);
    }
}

// In place of llama_log_set where upstream's common code sets its own log.
extern "C" void llama_log_set_watched(ggml_log_callback callback, void * data) {
    upstream_log() = { callback, data };
    llama_log_set(log_watch, nullptr);
}
