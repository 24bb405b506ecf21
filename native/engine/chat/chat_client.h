// Requests to the server, and the answer of a chat completion as it streams in.
#pragma once

#include "json.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

// Why a request failed, in one line. No message: it did not fail.
struct chat_error {
    std::string message;
    bool        context_full = false; // the request is larger than the model's context
    int         status       = 0;     // of HTTP; 0 if no answer came

    explicit operator bool() const { return !message.empty(); }
};

struct chat_timings {
    int64_t prompt_n     = 0; // tokens of the prompt that had to be read
    int64_t cached_n     = 0; // tokens of the prompt that were known from before
    int64_t predicted_n  = 0; // tokens of the answer
    double  prompt_ms    = 0;
    double  predicted_ms = 0;

    int64_t total() const { return prompt_n + cached_n + predicted_n; }
};

struct chat_props {
    int64_t n_ctx  = 0;     // tokens that fit into one conversation; 0 if unknown
    bool    vision = false;
    bool    audio  = false;
    bool    video  = false;
};

struct chat_answer {
    std::string  content;
    std::string  reasoning;
    std::string  finish_reason; // "stop", "length", ...
    chat_timings timings;
    bool         stopped = false; // by the user
    chat_error   error;
};

// What is called while an answer streams in.
struct chat_events {
    std::function<void(const std::string & text)> on_reasoning;
    std::function<void(const std::string & text)> on_content;
    std::function<void(double fraction)>          on_progress; // of the prompt, 0 ... 1
};

struct chat_client {
    std::string server_base;
    const std::atomic<bool> * server_ended = nullptr; // its address may be another's by now
    std::string api_key;
    std::string model; // empty: the server's own choice
};

// Asks for what the server can do; waits while it loads its model, and `connect_s` seconds for a
// server that does not answer at all. An interrupt ends it with an error of status 0.
chat_error chat_client_connect(const chat_client & client, int connect_s, chat_props & props);

// The names of the models that the server has.
chat_error chat_client_list_models(const chat_client & client, std::vector<std::string> & names);

// Lets the model answer `messages`. An interrupt ends it, with the partial answer.
chat_answer chat_client_complete(const chat_client & client, const common_json & messages, const chat_events & events);

// Counts the tokens of the prompt that `messages` make.
chat_error chat_client_count_tokens(const chat_client & client, const common_json & messages, int64_t & n_tokens);
