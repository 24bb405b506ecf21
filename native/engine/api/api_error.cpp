#include "api_error.h"

static bool has_part(const std::string & path, const std::string & part) {
    return path.find(part) != std::string::npos;
}

// https://docs.anthropic.com/en/api/errors
static const char * anthropic_type(int status) {
    switch (status) {
        case 401: return "authentication_error";
        case 403: return "permission_error";
        case 404: return "not_found_error";
        case 413: return "request_too_large";
        case 429: return "rate_limit_error";
        case 503: return "overloaded_error";
        default:  return status >= 500 ? "api_error" : "invalid_request_error";
    }
}

std::string api_error_text(const std::string & path, int status, const common_json & error) {
    const common_json message = error.contains("message") ? error.at("message") : common_json("");
    if (has_part(path, "/v1/messages")) {
        return common_json{ { "type", "error" }, { "error", { { "type", anthropic_type(status) }, { "message", message } } } }.dump_safe();
    }
    if (has_part(path, "/api/")) {
        return common_json{ { "error", message } }.dump_safe();
    }
    common_json shaped = error;
    if (!shaped.contains("param")) {
        shaped["param"] = nullptr;
    }
    // Upstream repeats the status there, where clients look for a word.
    const bool is_word = shaped.contains("code") && shaped.at("code").is_string();
    if (shaped.contains("type") && shaped.at("type") == "exceed_context_size_error") {
        shaped["code"] = "context_length_exceeded";
    } else if (!is_word) {
        shaped["code"] = nullptr;
    }
    return common_json{ { "error", shaped } }.dump_safe();
}
