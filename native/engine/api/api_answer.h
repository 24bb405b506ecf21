// An answer that is made of one of upstream's.
#pragma once

#include "event_stream.h"

#include "server-http.h"

struct api_answer : server_http_res {
    // Asks upstream's handler with another path or body; the answer is passed on as it is.
    api_answer(const server_http_context::handler_t & handler, const server_http_req & req, const std::string & path, const std::string & body);

    // Lets `rewrite` make of each event's data what is sent in its place.
    void rewrite_events(std::function<std::string(const std::string &)> rewrite);

    void on_complete() override { made->on_complete(); }

  private:
    server_http_req     asked; // upstream's answer looks at it until it ends
    server_http_res_ptr made;
    event_stream        events;
};
