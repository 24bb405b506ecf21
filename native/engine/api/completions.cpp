#include "completions.h"

#include "api_answer.h"

#include "server-common.h"

#include <algorithm>
#include <map>
#include <stdexcept>

// What a request wants that upstream does not do.
struct completion_wish {
    bool                     echo    = false;
    bool                     nothing = false; // max_tokens is 0
    int                      top     = -1;    // logprobs, -1 for none
    int                      choices = 1;     // n, for each prompt
    std::vector<std::string> prompts;         // only where they are to be echoed
    bool                     many = false;    // several answers in all

    bool is_plain(bool streams) const { return !echo && !nothing && top < 0 && !(streams && many); }
};

static bool is_tokens(const json & prompt) {
    return prompt.is_array() && !prompt.empty() && prompt.at(0).is_number_integer();
}

static std::string prompt_text(const api_context & context, const server_http_req & req, const json & prompt) {
    if (prompt.is_string()) {
        return prompt.get<std::string>();
    }
    const json found = json::parse_no_throw(context.call("/detokenize", req, json{ { "tokens", prompt } }.dump())->data);
    return found.is_object() ? json_value(found, "content", std::string()) : "";
}

static completion_wish wish_read(const api_context & context, const server_http_req & req, json & body) {
    completion_wish wish;
    wish.echo    = json_value(body, "echo", false);
    wish.choices = std::max(1, json_value(body, "n", 1));
    wish.nothing = body.contains("max_tokens") && body.at("max_tokens") == 0;
    if (wish.nothing) {
        body["max_tokens"] = 1;
    }
    if (body.contains("logprobs") && body.at("logprobs").is_number_integer()) {
        wish.top         = std::max(0, body.at("logprobs").get<int>());
        body["logprobs"] = std::max(1, wish.top);
    }
    if (wish.echo && wish.top >= 0) {
        throw std::invalid_argument("echo with logprobs: this server has no log probabilities of the prompt");
    }
    if (!json_value(body, "suffix", std::string()).empty()) {
        throw std::invalid_argument("suffix is not supported here; /infill fills a gap");
    }
    if (json_value(body, "best_of", 1) > wish.choices) {
        throw std::invalid_argument("best_of: at most n");
    }
    const json prompt = json_value(body, "prompt", json());
    const bool single = !prompt.is_array() || is_tokens(prompt);
    wish.many = wish.choices > 1 || (!single && prompt.size() > 1);
    if (wish.echo && single) {
        wish.prompts.push_back(prompt_text(context, req, prompt));
    } else if (wish.echo) {
        for (const json & one : prompt) {
            wish.prompts.push_back(prompt_text(context, req, one));
        }
    }
    return wish;
}

static size_t letters(const std::string & text) {
    return std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; });
}

// Rewrites the chunks of an answer, or a whole one.
class completion_writer {
  public:
    explicit completion_writer(completion_wish wish) : wish(std::move(wish)) {}

    void rewrite(json & answer) {
        if (!answer.is_object() || !answer.contains("choices")) {
            return;
        }
        for (json & choice : answer["choices"]) {
            choice_rewrite(choice);
        }
        sum(answer);
    }

    void sum(json & answer) {
        if (answer.is_object() && answer.contains("usage") && answer.at("usage").is_object()) {
            usage_rewrite(answer["usage"]);
        }
    }

  private:
    completion_wish       wish;
    std::map<int, size_t> offsets; // of each choice, in letters
    int                   generated = 0;
    int                   read      = 0;
    int                   ended     = 0;

    void choice_rewrite(json & choice) {
        const int   index = json_value(choice, "index", 0);
        const bool  first = offsets.count(index) == 0;
        std::string text  = wish.nothing ? "" : json_value(choice, "text", std::string());
        size_t &    at    = offsets[index];
        if (first && wish.echo) {
            text = wish.prompts.at(std::min(wish.prompts.size() - 1, (size_t) (index / wish.choices))) + text;
        }
        if (wish.nothing && choice.contains("finish_reason") && !choice.at("finish_reason").is_null()) {
            choice["finish_reason"] = "length";
        }
        choice["text"] = text;
        if (wish.top >= 0) {
            choice["logprobs"] = logprobs(choice, at);
        }
        at += letters(text);
    }

    json logprobs(const json & choice, size_t at) const {
        const json given = json_value(json_value(choice, "logprobs", json::object()), "content", json::array());
        if (given.empty()) {
            return nullptr;
        }
        json tokens = json::array(), values = json::array(), tops = json::array(), places = json::array();
        for (const json & one : given) {
            const std::string token = json_value(one, "token", std::string());
            tokens.push_back(token);
            values.push_back(json_value(one, "logprob", json()));
            places.push_back(at);
            at += letters(token);
            json top   = json::object();
            int  count = 0;
            for (const json & other : json_value(one, "top_logprobs", json::array())) {
                if (count++ < wish.top) {
                    top[json_value(other, "token", std::string())] = json_value(other, "logprob", json());
                }
            }
            tops.push_back(top);
        }
        return json{ { "tokens", tokens }, { "token_logprobs", values }, { "top_logprobs", wish.top == 0 ? json() : tops }, { "text_offset", places } };
    }

    // In a stream each choice ends with its own; clients take the last one.
    void usage_rewrite(json & usage) {
        read      += ended++ % wish.choices == 0 ? json_value(usage, "prompt_tokens", 0) : 0;
        generated += wish.nothing ? 0 : json_value(usage, "completion_tokens", 0);
        usage["prompt_tokens"]     = read;
        usage["completion_tokens"] = generated;
        usage["total_tokens"]      = read + generated;
    }
};

server_http_context::handler_t chat_openai(server_http_context::handler_t handler) {
    return [handler](const server_http_req & req) -> server_http_res_ptr {
        if (req.body.find("\"n\"") == std::string::npos) {
            return handler(req); // as almost all: a body may be long, and upstream reads it anyway
        }
        const json      body = json::parse_no_throw(req.body);
        completion_wish wish;
        wish.choices = body.is_object() ? json_value(body, "n", 1) : 1;
        if (wish.choices < 2 || !json_value(body, "stream", false)) {
            return handler(req);
        }
        auto res    = std::make_unique<api_answer>(handler, req, req.path, req.body);
        auto writer = std::make_shared<completion_writer>(wish);
        if (res->is_stream()) {
            res->rewrite_events([writer](const std::string & data) {
                json one = json::parse_no_throw(data);
                writer->sum(one);
                return "data: " + (one.is_discarded() ? data : safe_json_to_str(one)) + "\n\n";
            });
        }
        return res;
    };
}

server_http_context::handler_t completions_openai(const api_context & context, server_http_context::handler_t handler) {
    return [&context, handler](const server_http_req & req) -> server_http_res_ptr {
        json body = json::parse_no_throw(req.body);
        if (!body.is_object()) {
            return handler(req); // which says what is wrong
        }
        const completion_wish wish = wish_read(context, req, body);
        if (wish.is_plain(json_value(body, "stream", false))) {
            return handler(req);
        }
        auto res    = std::make_unique<api_answer>(handler, req, req.path, body.dump_safe());
        auto writer = std::make_shared<completion_writer>(wish);
        const auto rewrite = [writer](const std::string & data) {
            json one = json::parse_no_throw(data);
            writer->rewrite(one);
            return one.is_discarded() ? data : safe_json_to_str(one);
        };
        if (res->is_stream()) {
            res->rewrite_events([rewrite](const std::string & data) { return "data: " + rewrite(data) + "\n\n"; });
        } else {
            res->data = rewrite(res->data);
        }
        return res;
    };
}
