// Where the server listens, and whether it answers.
#pragma once

#include "options.h"

#include "common.h"

#include <functional>
#include <string>

struct server_address {
    std::string              url;    // for programs on this machine, such as "http://127.0.0.1:8080"; "" if there are sockets only
    std::string              note;   // such as "port 8080 is taken", or ""
    std::vector<std::string> others; // what else it serves at, such as "unix:///tmp/a.sock"
};

// Whether this host is the path of a Unix socket.
bool server_is_socket(const std::string & host);

// Whether the server speaks TLS.
bool server_is_tls(const common_params & params);

// Binds hosts and port of the options and listens there, so that nobody else can answer in this server's
// place; upstream's server takes the sockets over. Port 0 is any that is free. It is done before the sandbox
// closes, which lets nobody bind. `is_private`: this process alone is to find it.
// Throws user_error where that cannot be.
void server_address_bind(const options & opts, bool is_private);

// What was bound: `params` gets it.
const server_address & server_address_take(common_params & params);

// Its port, 0 for none.
int server_address_port();

// What a browser opens there, or "".
std::string server_address_url();

// Settles who may ask the server of `params`: see hooks/request_rules.h.
void server_rules_set(common_params & params, const options & opts, bool has_media);

// Waits until GET /health answers 200. Returns false as soon as `stop` returns true.
bool server_wait(const std::string & url, const std::function<bool()> & stop);
