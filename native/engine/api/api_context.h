// Included by the compiler in front of upstream's server.cpp, whose HTTP routes pass through this one: it
// puts right what upstream answers, and adds the routes that other clients ask for.
#pragma once

#include "api_answer.h"

#include "common.h"
#include "server-http.h"

struct api_context : server_http_context {
    bool init(const common_params & params);

    void get(const std::string & path, const handler_t & handler) const;
    void post(const std::string & path, const handler_t & handler) const;

    // Upstream calls it behind its own routes, which ours are made of.
    void register_gcp_compat() const;

    // Calls one of upstream's routes with another body, or "" for a GET. The answer may be a stream.
    std::unique_ptr<api_answer> call(const std::string & path, const server_http_req & req, const std::string & body) const;

  private:
    bool is_router = false; // which sends on what is asked
};

#ifdef LLAMAPACK_API_CONTEXT
#    define server_http_context api_context
#endif
