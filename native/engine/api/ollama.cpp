#include "ollama.h"

#include "request_rules.h"

#include "server-common.h"

#include <chrono>
#include <cmath>
#include <ctime>
#include <stdexcept>

// The release whose API this is.
static const char VERSION[] = "0.12.6";

static const char CHAT[]        = "/v1/chat/completions";
static const char COMPLETIONS[] = "/v1/completions";
static const char EMBEDDINGS[]  = "/v1/embeddings";
static const char MODELS[]      = "/v1/models";

static bool has(const json & body, const char * key) {
    return body.is_object() && body.contains(key) && !body.at(key).is_null();
}

static std::string text_in(const json & value, const char * key) {
    return json_value(value, key, std::string());
}

static std::string now_text() {
    const std::time_t now = std::time(nullptr);
    std::tm           utc{};
#ifdef _WIN32
    gmtime_s(&utc, &now);
#else
    gmtime_r(&now, &utc);
#endif
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return text;
}

static int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static server_http_res_ptr answer(const json & value, int status = 200) {
    auto res    = std::make_unique<server_http_res>();
    res->status = status;
    res->data   = safe_json_to_str(value);
    return res;
}

//
// Requests
//

// Options with the names that upstream has, too. The others are about loading the model, which is loaded.
static const char * const SAMPLING[] = {
    "frequency_penalty", "min_p", "mirostat", "mirostat_eta", "mirostat_tau", "presence_penalty", "repeat_last_n",
    "repeat_penalty", "seed", "stop", "temperature", "top_k", "top_p", "typical_p",
};

// `options` and the fields beside it, in upstream's names.
static void options_convert(const json & given, json & made) {
    const json options = json_value(given, "options", json::object());
    for (const char * name : SAMPLING) {
        if (has(options, name)) {
            made[name] = options.at(name);
        }
    }
    if (json_value(options, "num_predict", -1) >= 0) {
        made["max_tokens"] = options.at("num_predict");
    }
    if (has(given, "tool_choice")) { // not Ollama's, but some clients send it
        made["tool_choice"] = given.at("tool_choice");
    }
    const json format = json_value(given, "format", json());
    if (format.is_object()) {
        made["response_format"] = json{ { "type", "json_schema" }, { "json_schema", { { "name", "answer" }, { "schema", format } } } };
    } else if (format == "json") {
        made["response_format"] = json{ { "type", "json_object" } };
    } else if (!format.is_null() && format != "") {
        throw std::invalid_argument("format: \"json\" or a schema");
    }
    if (has(given, "think")) {
        const json & think = given.at("think");
        made["chat_template_kwargs"] = json{ { "enable_thinking", think != false } };
        if (think.is_string()) {
            made["reasoning_effort"] = think;
        }
    }
    const bool streams = json_value(given, "stream", true);
    made["model"]      = text_in(given, "model");
    made["stream"]     = streams;
    if (streams) {
        made["stream_options"] = json{ { "include_usage", true } };
    }
}

static json content_convert(const json & message, const std::string & text) {
    const json images = json_value(message, "images", json::array());
    if (images.empty()) {
        return text;
    }
    json parts = json::array();
    for (const json & image : images) {
        if (!image.is_string()) {
            throw std::invalid_argument("images: texts in base64");
        }
        const json url = { { "url", "data:image/jpeg;base64," + image.get<std::string>() } };
        parts.push_back(json{ { "type", "image_url" }, { "image_url", url } });
    }
    parts.push_back(json{ { "type", "text" }, { "text", text } });
    return parts;
}

static json messages_convert(const json & given) {
    json   made  = json::array();
    size_t calls = 0, answered = 0;
    for (const json & message : given) {
        json one = { { "role", text_in(message, "role") }, { "content", content_convert(message, text_in(message, "content")) } };
        if (has(message, "thinking")) {
            one["reasoning_content"] = message.at("thinking");
        }
        json converted = json::array();
        for (const json & call : json_value(message, "tool_calls", json::array())) {
            const json function  = json_value(call, "function", json::object());
            const json arguments = json_value(function, "arguments", json::object());
            converted.push_back(json{
                { "id", "call_" + std::to_string(calls++) },
                { "type", "function" },
                { "function", { { "name", text_in(function, "name") }, { "arguments", arguments.is_string() ? arguments : json(arguments.dump_safe()) } } },
            });
        }
        if (!converted.empty()) {
            one["tool_calls"] = converted;
        }
        if (text_in(message, "role") == "tool") {
            one["tool_call_id"] = "call_" + std::to_string(answered++);
        }
        made.push_back(one);
    }
    return made;
}

//
// Answers
//

// Makes Ollama's answer, whole or in lines, of one of upstream's.
class ollama_writer {
  public:
    ollama_writer(std::string model, bool is_chat) : model(std::move(model)), is_chat(is_chat), begun(now_ns()) {}

    json whole(const json & given) {
        const json choice  = given.at("choices").at(0);
        const json message = has(choice, "message") ? choice.at("message") : choice;
        take(given, choice);
        json part = message_of(message);
        if (has(message, "tool_calls")) {
            part["tool_calls"] = json::array();
            for (const json & call : message.at("tool_calls")) {
                part["tool_calls"].push_back(call_parsed(json_value(call, "function", json::object())));
            }
        }
        return ended(part);
    }

    std::string line(const std::string & data) {
        if (data == "[DONE]") {
            const std::string called = calls.empty() ? "" : text({ { "tool_calls", calls_parsed() } });
            return called + safe_json_to_str(ended(json::object())) + "\n";
        }
        const json event = json::parse_no_throw(data);
        if (has(event, "error")) {
            return safe_json_to_str({ { "error", text_in(event.at("error"), "message") } }) + "\n";
        }
        const json choices = json_value(event, "choices", json::array());
        take(event, choices.empty() ? json::object() : choices.at(0));
        if (choices.empty()) {
            return "";
        }
        const json & choice = choices.at(0);
        const json   delta  = has(choice, "delta") ? choice.at("delta") : choice;
        for (const json & call : json_value(delta, "tool_calls", json::array())) {
            call_add(call);
        }
        const json part = message_of(delta);
        return part.empty() ? "" : text(part);
    }

  private:
    std::string       model;
    bool              is_chat;
    int64_t           begun;
    std::string       reason = "stop";
    json              usage   = json::object();
    json              timings = json::object();
    std::vector<json> calls;

    void take(const json & event, const json & choice) {
        if (has(event, "usage")) {
            usage = event.at("usage");
        }
        if (has(event, "timings")) {
            timings = event.at("timings");
        }
        if (has(choice, "finish_reason")) {
            reason = choice.at("finish_reason") == "length" ? "length" : "stop";
        }
    }

    void call_add(const json & part) {
        const size_t index = json_value(part, "index", (int) calls.size());
        if (index > calls.size()) {
            return;
        }
        if (index == calls.size()) {
            calls.push_back(json{ { "name", "" }, { "arguments", "" } });
        }
        const json function = json_value(part, "function", json::object());
        for (const char * key : { "name", "arguments" }) {
            calls[index][key] = text_in(calls[index], key) + text_in(function, key);
        }
    }

    static json call_parsed(const json & function) {
        const json arguments = json::parse_no_throw(text_in(function, "arguments"));
        return json{ { "function", { { "name", text_in(function, "name") }, { "arguments", arguments.is_object() ? arguments : json::object() } } } };
    }

    json calls_parsed() const {
        json list = json::array();
        for (const json & one : calls) {
            list.push_back(call_parsed(one));
        }
        return list;
    }

    // What is said in a message or a part of one, in Ollama's names.
    static json message_of(const json & given) {
        json              made    = json::object();
        const std::string content = text_in(given, has(given, "content") ? "content" : "text");
        if (!content.empty()) {
            made["content"] = content;
        }
        if (has(given, "reasoning_content")) {
            made["thinking"] = given.at("reasoning_content");
        }
        return made;
    }

    json object(const json & part) const {
        json made = { { "model", model }, { "created_at", now_text() } };
        if (is_chat) {
            json message = { { "role", "assistant" }, { "content", text_in(part, "content") } };
            for (const char * key : { "thinking", "tool_calls" }) {
                if (has(part, key)) {
                    message[key] = part.at(key);
                }
            }
            made["message"] = message;
        } else {
            made["response"] = text_in(part, "content");
            if (has(part, "thinking")) {
                made["thinking"] = part.at("thinking");
            }
        }
        return made;
    }

    std::string text(const json & part) const {
        json made    = object(part);
        made["done"] = false;
        return safe_json_to_str(made) + "\n";
    }

    json ended(const json & part) const {
        json made                    = object(part);
        made["done"]                 = true;
        made["done_reason"]          = reason;
        made["total_duration"]       = now_ns() - begun;
        made["load_duration"]        = 0;
        made["prompt_eval_count"]    = json_value(usage, "prompt_tokens", 0);
        made["prompt_eval_duration"] = (int64_t) (1e6 * json_value(timings, "prompt_ms", 0.0));
        made["eval_count"]           = json_value(usage, "completion_tokens", 0);
        made["eval_duration"]        = (int64_t) (1e6 * json_value(timings, "predicted_ms", 0.0));
        return made;
    }
};

static server_http_res_ptr generated(const api_context & context, const server_http_req & req, const char * route, const json & body, bool is_chat) {
    auto writer = std::make_shared<ollama_writer>(text_in(body, "model"), is_chat);
    auto res    = context.call(route, req, body.dump_safe());
    if (res->is_stream()) {
        res->content_type = "application/x-ndjson";
        res->rewrite_events([writer](const std::string & data) { return writer->line(data); });
    } else if (res->status == 200) {
        res->data = safe_json_to_str(writer->whole(json::parse(res->data)));
    }
    return res;
}

static server_http_res_ptr chat(const api_context & context, const server_http_req & req) {
    const json given = json::parse(req.body);
    if (!has(given, "messages") || given.at("messages").empty()) {
        return answer({ { "model", text_in(given, "model") }, { "created_at", now_text() }, { "message", { { "role", "assistant" }, { "content", "" } } }, { "done_reason", "load" }, { "done", true } });
    }
    json body = { { "messages", messages_convert(given.at("messages")) } };
    if (has(given, "tools")) {
        body["tools"] = given.at("tools");
    }
    options_convert(given, body);
    return generated(context, req, CHAT, body, true);
}

static server_http_res_ptr generate(const api_context & context, const server_http_req & req) {
    const json        given  = json::parse(req.body);
    const std::string prompt = text_in(given, "prompt");
    if (prompt.empty()) {
        return answer({ { "model", text_in(given, "model") }, { "created_at", now_text() }, { "response", "" }, { "done_reason", "load" }, { "done", true } });
    }
    if (!text_in(given, "suffix").empty()) {
        throw std::invalid_argument("suffix is not supported here; /infill fills a gap");
    }
    json body = json::object();
    options_convert(given, body);
    if (json_value(given, "raw", false) || !request_rules_get().has_chat) {
        body["prompt"] = prompt;
        return generated(context, req, COMPLETIONS, body, false);
    }
    json messages = json::array();
    if (!text_in(given, "system").empty()) {
        messages.push_back(json{ { "role", "system" }, { "content", given.at("system") } });
    }
    messages.push_back(json{ { "role", "user" }, { "content", content_convert(given, prompt) } });
    body["messages"] = messages;
    return generated(context, req, CHAT, body, false);
}

//
// Embeddings
//

static json shortened(const json & vector, size_t size) {
    json   made = json::array();
    double sum  = 0;
    for (size_t i = 0; i < size && i < vector.size(); i++) {
        const double one = vector.at(i).get<double>();
        sum += one * one;
        made.push_back(one);
    }
    for (size_t i = 0; sum > 0 && i < made.size(); i++) {
        made[i] = made.at(i).get<double>() / std::sqrt(sum);
    }
    return made;
}

static server_http_res_ptr embed(const api_context & context, const server_http_req & req, const char * field) {
    const int64_t begun = now_ns();
    const json    given = json::parse(req.body);
    const json    input = json_value(given, field, json(""));
    json          list  = json::array();
    int           count = 0;
    if (!input.empty() && input != "") {
        auto res = context.call(EMBEDDINGS, req, json{ { "model", text_in(given, "model") }, { "input", input } }.dump_safe());
        if (res->status != 200) {
            return res;
        }
        const json made = json::parse(res->data);
        for (const json & one : made.at("data")) {
            const int size = json_value(given, "dimensions", 0);
            list.push_back(size > 0 ? shortened(one.at("embedding"), size) : one.at("embedding"));
        }
        count = json_value(json_value(made, "usage", json::object()), "prompt_tokens", 0);
    }
    if (field == std::string("prompt")) {
        return answer({ { "embedding", list.empty() ? json::array() : list.at(0) } });
    }
    return answer({ { "model", text_in(given, "model") }, { "embeddings", list }, { "total_duration", now_ns() - begun }, { "load_duration", 0 }, { "prompt_eval_count", count } });
}

//
// Models
//

static std::string size_text(double count) {
    char text[32];
    snprintf(text, sizeof text, count >= 1e9 ? "%.1fB" : "%.0fM", count >= 1e9 ? count / 1e9 : count / 1e6);
    return count > 0 ? text : "";
}

static json details(const json & model) {
    const json meta = json_value(model, "meta", json::object());
    return json{
        { "parent_model", "" }, { "format", "gguf" }, { "family", "" }, { "families", json::array() },
        { "parameter_size", size_text(json_value(meta, "n_params", 0.0)) },
        { "quantization_level", text_in(meta, "ftype") },
    };
}

static json models(const api_context & context, const server_http_req & req) {
    const json list = json::parse_no_throw(context.call(MODELS, req, "")->data);
    return list.is_object() ? json_value(list, "data", json::array()) : json::array();
}

// Ollama's digest is of a file in its store; there is none here.
static json entry(const json & model) {
    const std::string name = text_in(model, "id");
    return json{
        { "name", name }, { "model", name }, { "size", json_value(json_value(model, "meta", json::object()), "size", (int64_t) 0) },
        { "digest", std::string(64, '0') }, { "details", details(model) },
    };
}

static server_http_res_ptr tags(const api_context & context, const server_http_req & req) {
    json list = json::array();
    for (const json & model : models(context, req)) {
        json one = entry(model);
        one["modified_at"] = now_text();
        list.push_back(one);
    }
    return answer({ { "models", list } });
}

static server_http_res_ptr running(const api_context & context, const server_http_req & req) {
    json list = json::array();
    for (const json & model : models(context, req)) {
        json one = entry(model);
        one["expires_at"]     = "9999-12-31T23:59:59Z";
        one["size_vram"]      = 0;
        one["context_length"] = json_value(json_value(model, "meta", json::object()), "n_ctx", 0);
        list.push_back(one);
    }
    return answer({ { "models", list } });
}

static server_http_res_ptr show(const api_context & context, const server_http_req & req) {
    const json        given = json::parse(req.body);
    const std::string name  = text_in(given, has(given, "model") ? "model" : "name");
    const json        list  = models(context, req);
    json              model = list.empty() ? json::object() : list.at(0);
    for (const json & one : list) {
        model = text_in(one, "id") == name ? one : model;
    }
    const json props        = json::parse_no_throw(context.call("/props", req, "")->data);
    const json caps         = props.is_object() ? json_value(props, "chat_template_caps", json::object()) : json::object();
    const json modalities   = props.is_object() ? json_value(props, "modalities", json::object()) : json::object();
    json       capabilities = json::array({ request_rules_get().embeds ? "embedding" : "completion" });
    if (json_value(caps, "supports_tool_calls", false)) {
        capabilities.push_back("tools");
    }
    if (json_value(modalities, "vision", false)) {
        capabilities.push_back("vision");
    }
    const json meta = json_value(model, "meta", json::object());
    return answer({
        { "modelfile", "" }, { "parameters", "" }, { "license", "" }, { "modified_at", now_text() },
        { "template", props.is_object() ? json_value(props, "chat_template", std::string()) : "" },
        { "details", details(model) }, { "capabilities", capabilities },
        { "model_info", { { "general.parameter_count", json_value(meta, "n_params", (int64_t) 0) }, { "llama.context_length", json_value(meta, "n_ctx_train", 0) }, { "llama.embedding_length", json_value(meta, "n_embd", 0) } } },
    });
}

void ollama_routes_add(const api_context & context) {
    using handler = server_http_res_ptr (*)(const api_context &, const server_http_req &);
    const auto with = [&context](handler one) { return [&context, one](const server_http_req & req) { return one(context, req); }; };

    context.post("/api/chat", with(chat));
    context.post("/api/generate", with(generate));
    context.post("/api/embed", [&context](const server_http_req & req) { return embed(context, req, "input"); });
    context.post("/api/embeddings", [&context](const server_http_req & req) { return embed(context, req, "prompt"); });
    context.post("/api/show", with(show));
    context.get("/api/tags", with(tags));
    context.get("/api/ps", with(running));
    context.get("/api/version", [](const server_http_req &) { return answer({ { "version", VERSION } }); });
    // The model is here already, which is what clients ask for with it.
    context.post("/api/pull", [](const server_http_req &) { return answer({ { "status", "success" } }); });
}
