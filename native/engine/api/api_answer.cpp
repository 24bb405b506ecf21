#include "api_answer.h"

api_answer::api_answer(const server_http_context::handler_t & handler, const server_http_req & req, const std::string & path, const std::string & body)
    : asked{ req.params, req.headers, path, req.query_string, body, {}, req.should_stop }, made(handler(asked)) {
    content_type = made->content_type;
    status       = made->status;
    data         = made->data;
    headers      = made->headers;
    if (made->is_stream()) {
        next = [this](std::string & chunk) { return made->next(chunk); };
    }
}

void api_answer::rewrite_events(std::function<std::string(const std::string &)> rewrite) {
    next = [this, rewrite](std::string & out) {
        std::string chunk, event;
        const bool  more = made->next(chunk);
        events.add(chunk);
        while (events.next(event)) {
            out += event == "null" ? "" : rewrite(event); // upstream has nothing to say where it says that
        }
        return more;
    };
}
