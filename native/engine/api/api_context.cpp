#include "api_context.h"

#include "api_answer.h"
#include "api_error.h"
#include "completions.h"
#include "ollama.h"
#include "request_rules.h"

#include "server-common.h"

#include <stdexcept>

// Which flag turns on what upstream only calls disabled.
static const std::pair<const char *, const char *> FLAGS[] = {
    { "/tools",      "--tools"        },
    { "/cors-proxy", "--ui-mcp-proxy" },
};

static bool ends_with(const std::string & text, const std::string & end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

static std::string message_with_flag(const std::string & path, std::string message) {
    for (const auto & [route, flag] : FLAGS) {
        if (ends_with(path, route)) {
            message += std::string(". Start it with `") + flag + "`";
        }
    }
    return message;
}

// A feature that is off stays off when a client asks again, so it is the request that is wrong.
static void error_mend(const std::string & path, server_http_res & res) {
    if (res.status < 400 || res.is_stream()) {
        return;
    }
    json answer = json::parse_no_throw(res.data);
    json error  = answer.is_object() && answer.contains("error") ? answer.at("error") : json();
    if (!error.is_object()) {
        return;
    }
    std::string message = json_value(error, "message", std::string());
    if (res.status == 501 || json_value(error, "type", std::string()) == "feature_disabled") {
        message    = message_with_flag(path, message);
        res.status = 400;
        error["type"] = "invalid_request_error";
    }
    // Upstream finds out where it computes.
    const bool is_no_writer = message.find("does not support logits") != std::string::npos;
    if (is_no_writer || message.find("is too large to process") != std::string::npos) {
        message       = is_no_writer ? "this model embeds texts or ranks documents, and writes none" : message;
        res.status    = 400;
        error["type"] = "invalid_request_error";
    }
    error["message"] = message;
    res.data         = api_error_text(path, res.status, error);
}

static server_http_context::handler_t mended(server_http_context::handler_t handler) {
    return [handler](const server_http_req & req) {
        server_http_res_ptr res;
        try {
            res = handler(req);
        } catch (const std::exception & error) { // ours; upstream's have become answers
            res         = std::make_unique<server_http_res>();
            res->status = 400;
            res->data   = safe_json_to_str({ { "error", { { "message", error.what() }, { "type", "invalid_request_error" } } } });
        }
        error_mend(req.path, *res);
        return res;
    };
}

bool api_context::init(const common_params & params) {
    is_router = params.model.path.empty() && params.model.hf_repo.empty() && params.model.docker_repo.empty();
    return server_http_context::init(params);
}

void api_context::get(const std::string & path, const handler_t & handler) const {
    server_http_context::get(path, mended(handler));
}

static bool is_chat(const std::string & path) {
    return ends_with(path, "/chat/completions") || ends_with(path, "/responses") || ends_with(path, "/messages");
}

static server_http_res_ptr chat_refuse(const server_http_req &) {
    throw std::invalid_argument("this model has no chat template, it completes text: ask /v1/completions, or start it with --chat-template");
}

void api_context::post(const std::string & path, const handler_t & handler) const {
    if (is_chat(path) && !request_rules_get().has_chat) {
        server_http_context::post(path, mended(chat_refuse));
        return;
    }
    const bool is_completion = path == "/v1/completions" && !is_router;
    const bool is_openai     = ends_with(path, "/chat/completions") && !is_router;
    server_http_context::post(path, mended(is_completion ? completions_openai(*this, handler) : is_openai ? chat_openai(handler) : handler));
}

std::unique_ptr<api_answer> api_context::call(const std::string & path, const server_http_req & req, const std::string & body) const {
    return std::make_unique<api_answer>(handlers.at(path), req, path_prefix + path, body);
}

// One of those that GET /v1/models lists. Its name may have slashes.
static server_http_res_ptr model_get(const api_context & context, const server_http_req & req) {
    static const std::string LIST = "/v1/models";

    auto       res  = context.call(LIST, req, "");
    const json list = json::parse_no_throw(res->data);
    if (res->status != 200 || !list.is_object()) {
        return res;
    }
    const std::string name  = req.path.substr(context.path_prefix.size() + LIST.size() + 1);
    auto              found = std::make_unique<server_http_res>();
    for (const json & one : json_value(list, "data", json::array())) {
        const json aliases = json_value(one, "aliases", json::array());
        bool       is_it   = json_value(one, "id", std::string()) == name;
        for (const json & alias : aliases) {
            is_it = is_it || alias == name;
        }
        if (is_it) {
            found->data = safe_json_to_str(one);
            return found;
        }
    }
    found->status = 404;
    found->data   = safe_json_to_str({ { "error", { { "message", "there is no model " + name + " here" }, { "type", "not_found_error" }, { "code", "model_not_found" } } } });
    return found;
}

void api_context::register_gcp_compat() const {
    get("/v1/models/.+", [this](const server_http_req & req) { return model_get(*this, req); });
    ollama_routes_add(*this);
    server_http_context::register_gcp_compat();
}
