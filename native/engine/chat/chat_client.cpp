#include "chat_client.h"

#include "terminal.h"

#include "http.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

static constexpr time_t READ_TIMEOUT_S = 24 * 3600; // a long prompt on a slow machine is silent for long
static constexpr size_t ERROR_BODY_MAX = 64 * 1024;

using data_callback = std::function<void(const char * data, size_t size)>;

struct chat_reply {
    int         status  = 0; // of HTTP; 0 if no answer came
    bool        stopped = false;
    std::string body;        // unless a callback took it
    std::string failure;     // why no answer came
};

//
// Requests
//

// Shuts the connection down when the user interrupts, also while the server is silent.
struct interrupt_watch {
    std::mutex              mutex;
    std::condition_variable cv;
    bool                    done = false;
    std::thread             thread;

    explicit interrupt_watch(httplib::Client & http) : thread([this, &http] {
        std::unique_lock<std::mutex> lock(mutex);
        while (!cv.wait_for(lock, std::chrono::milliseconds(50), [this] { return done; })) {
            if (terminal_interrupted()) {
                http.stop();
            }
        }
    }) {}

    ~interrupt_watch() {
        {
            std::lock_guard<std::mutex> lock(mutex);
            done = true;
        }
        cv.notify_all();
        thread.join();
    }
};

static std::string chat_client_path(const common_http_url & url, const std::string & path) {
    std::string prefix = url.path;
    while (!prefix.empty() && prefix.back() == '/') {
        prefix.pop_back();
    }
    return prefix + path;
}

// GET without a body to send, else POST. With a callback, what a successful request answers goes
// there piece by piece.
static chat_reply chat_client_request(const chat_client & client, const std::string & path, const std::string & body, const data_callback & on_data) {
    chat_reply reply;
    if (client.server_ended && client.server_ended->load()) {
        reply.failure = "the server in this program has ended";
        return reply;
    }
    auto [http, url] = common_http_client(client.server_base);
    http.set_read_timeout(READ_TIMEOUT_S, 0);
    http.enable_server_certificate_verification(!client.server_ended); // this program's own needs no name

    httplib::Request request;
    request.method = body.empty() ? "GET" : "POST";
    request.path   = chat_client_path(url, path);
    request.body   = body;
    if (!body.empty()) {
        request.set_header("Content-Type", "application/json");
    }
    if (!client.api_key.empty()) {
        request.set_header("Authorization", "Bearer " + client.api_key);
    }
    request.response_handler = [&](const httplib::Response & response) {
        reply.status = response.status;
        return true;
    };
    request.content_receiver = [&](const char * data, size_t size, size_t, size_t) {
        if (terminal_interrupted()) {
            return false;
        }
        if (on_data && reply.status == 200) {
            on_data(data, size);
        } else if (reply.status == 200) {
            reply.body.append(data, size);
        } else {
            reply.body.append(data, std::min(size, ERROR_BODY_MAX - std::min(ERROR_BODY_MAX, reply.body.size())));
        }
        return true;
    };

    httplib::Result result;
    {
        interrupt_watch watch(http);
        result = http.send(request);
    }
    reply.stopped = terminal_interrupted();
    if (!result && !reply.stopped) {
        reply.failure = reply.status == 0 ? "cannot reach the server at " + client.server_base : "the server broke off its answer";
        reply.failure += " (" + httplib::to_string(result.error()) + ")";
        reply.status   = 0;
    }
    return reply;
}

static std::string one_line(std::string text) {
    std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; }, ' ');
    text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
    text.erase(text.find_last_not_of(' ') + 1);
    return text.size() > 500 ? text.substr(0, 500) + " ..." : text;
}

// `body` is {"error": {"message": ...}} as a rule, but a proxy may answer anything.
static chat_error chat_error_from_body(const std::string & body, int status) {
    chat_error        error;
    const common_json json = common_json::parse_no_throw(body);
    error.status  = status;
    error.message = one_line(body);
    if (!json.is_discarded() && json.is_object() && json.contains("error")) {
        const common_json & detail = json.at("error");
        if (detail.is_string()) {
            error.message = one_line(detail.get<std::string>());
        } else if (detail.is_object() && detail.contains("message") && detail.at("message").is_string()) {
            error.message      = one_line(detail.at("message").get<std::string>());
            error.context_full = detail.contains("type") && detail.at("type") == "exceed_context_size_error";
        }
    }
    if (error.message.empty()) {
        error.message = "the server answered with status " + std::to_string(status);
    }
    if (status == 401) {
        error.message += " (give the server's key with --api-key)";
    }
    return error;
}

static chat_error chat_error_from_reply(const chat_reply & reply) {
    chat_error error;
    if (reply.stopped) {
        error.message = "stopped";
    } else if (!reply.failure.empty()) {
        error.message = reply.failure;
    } else if (reply.status != 200) {
        error = chat_error_from_body(reply.body, reply.status);
    }
    return error;
}

// Waits a little; false if the user interrupts.
static bool chat_client_pause(int ms) {
    for (; ms > 0 && !terminal_interrupted(); ms -= 50) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return !terminal_interrupted();
}

chat_error chat_client_connect(const chat_client & client, int connect_s, chat_props & props) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(connect_s);
    const std::string path = client.model.empty() ? "/props" : "/props?model=" + httplib::encode_query_component(client.model);
    chat_reply reply    = chat_client_request(client, path, "", nullptr);
    while ((reply.status == 0 && !reply.stopped && std::chrono::steady_clock::now() < deadline) || reply.status == 503) {
        if (!chat_client_pause(200)) {
            break;
        }
        reply = chat_client_request(client, path, "", nullptr);
    }
    if (reply.status == 404) {
        return {}; // some other server: chats, but does not tell what it can do
    }
    const chat_error error = chat_error_from_reply(reply);
    const common_json json = common_json::parse_no_throw(error ? "{}" : reply.body);
    if (!json.is_discarded() && json.is_object()) {
        const common_json settings   = json.value("default_generation_settings", common_json::object());
        const common_json modalities = json.value("modalities",                  common_json::object());
        props.n_ctx  = settings.value("n_ctx", (int64_t) 0);
        props.vision = modalities.value("vision", false);
        props.audio  = modalities.value("audio",  false);
        props.video  = modalities.value("video",  false);
    }
    return error;
}

chat_error chat_client_list_models(const chat_client & client, std::vector<std::string> & names) {
    const chat_reply reply = chat_client_request(client, "/v1/models", "", nullptr);
    if (const chat_error error = chat_error_from_reply(reply)) {
        return error;
    }
    try {
        const common_json list = common_json::parse(reply.body);
        for (const common_json & model : list.at("data")) {
            names.push_back(model.at("id").get<std::string>());
        }
        return {};
    } catch (const common_json_error &) {
        return {"the server's answer makes no sense", false, 200};
    }
}

// What a request says, with the model that is to answer it.
static std::string chat_client_body(const chat_client & client, common_json body) {
    if (!client.model.empty()) {
        body["model"] = client.model;
    }
    return body.dump_safe();
}

//
// Completion
//

static void chat_answer_take_text(std::string & all, const common_json & delta, const char * key, const std::function<void(const std::string &)> & on_text) {
    if (!delta.contains(key) || !delta.at(key).is_string()) {
        return;
    }
    const std::string text = delta.at(key).get<std::string>();
    if (!text.empty()) {
        all += text;
        on_text(text);
    }
}

// One event of the stream.
static void chat_answer_take(chat_answer & answer, const std::string & payload, const chat_events & events) {
    const common_json chunk = common_json::parse_no_throw(payload);
    if (chunk.is_discarded() || !chunk.is_object()) {
        return;
    }
    if (chunk.contains("error")) {
        answer.error = chat_error_from_body(payload, 200);
        return;
    }
    if (chunk.contains("prompt_progress")) {
        const common_json & progress = chunk.at("prompt_progress");
        const double        total    = progress.value("total", 0.0);
        if (total > 0) {
            events.on_progress(progress.value("processed", 0.0) / total);
        }
    }
    if (chunk.contains("usage") && chunk.at("usage").is_object()) {
        answer.timings.prompt_n    = chunk.at("usage").value("prompt_tokens",     (int64_t) 0);
        answer.timings.predicted_n = chunk.at("usage").value("completion_tokens", (int64_t) 0);
        answer.timings.cached_n    = 0;
    }
    if (chunk.contains("timings") && chunk.at("timings").is_object()) {
        const common_json & timings = chunk.at("timings");
        answer.timings.prompt_n     = timings.value("prompt_n",    (int64_t) 0);
        answer.timings.cached_n     = timings.value("cache_n",     (int64_t) 0);
        answer.timings.predicted_n  = timings.value("predicted_n", (int64_t) 0);
        answer.timings.prompt_ms    = timings.value("prompt_ms",    0.0);
        answer.timings.predicted_ms = timings.value("predicted_ms", 0.0);
    }
    if (!chunk.contains("choices") || !chunk.at("choices").is_array() || chunk.at("choices").empty()) {
        return;
    }
    const common_json & choice = chunk.at("choices").at(0);
    if (choice.contains("finish_reason") && choice.at("finish_reason").is_string()) {
        answer.finish_reason = choice.at("finish_reason").get<std::string>();
    }
    if (choice.contains("delta")) {
        chat_answer_take_text(answer.reasoning, choice.at("delta"), "reasoning_content", events.on_reasoning);
        chat_answer_take_text(answer.content,   choice.at("delta"), "content",           events.on_content);
    }
}

chat_answer chat_client_complete(const chat_client & client, const common_json & messages, const chat_events & events) {
    const common_json body = {
        {"messages",          messages},
        {"stream",            true},
        {"stream_options",    {{"include_usage", true}}},
        {"timings_per_token", true}, // so that a stopped answer has them too
        {"return_progress",   true},
    };
    chat_answer answer;
    std::string pending; // the last line, not yet complete

    const chat_reply reply = chat_client_request(client, "/v1/chat/completions", chat_client_body(client, body), [&](const char * data, size_t size) {
        pending.append(data, size);
        size_t begin = 0;
        for (size_t end; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1) {
            const std::string line = pending.substr(begin, end - begin);
            if (line.compare(0, 5, "data:") == 0) {
                chat_answer_take(answer, line.substr(5), events);
            }
        }
        pending.erase(0, begin);
    });
    answer.stopped = reply.stopped;
    if (!answer.error && !answer.stopped) {
        answer.error = chat_error_from_reply(reply);
    }
    return answer;
}

chat_error chat_client_count_tokens(const chat_client & client, const common_json & messages, int64_t & n_tokens) {
    try {
        const common_json to_prompt = {{"messages", messages}};
        chat_reply        reply     = chat_client_request(client, "/apply-template", chat_client_body(client, to_prompt), nullptr);
        if (const chat_error error = chat_error_from_reply(reply)) {
            return error;
        }
        const common_json to_tokens = {{"content", common_json::parse(reply.body).at("prompt")}, {"add_special", true}};
        reply = chat_client_request(client, "/tokenize", chat_client_body(client, to_tokens), nullptr);
        if (const chat_error error = chat_error_from_reply(reply)) {
            return error;
        }
        n_tokens = (int64_t) common_json::parse(reply.body).at("tokens").size();
        return {};
    } catch (const common_json_error &) {
        return {"the server's answer makes no sense", false, 200};
    }
}
