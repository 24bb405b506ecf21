// Who may ask the server, and for how much. Settled by the engine before upstream's server starts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

struct request_rules {
    std::vector<std::string> origins;             // --allow-origin: hosts, or origins such as "https://example.com"
    std::vector<std::string> hosts;               // that are served, without sockets
    bool                     all_addresses = false; // 0.0.0.0 or :: is among them
    bool                     has_key       = false; // upstream asks for one, and its rules for origins hold
    bool                     is_tls        = false;
    bool                     fetches       = false; // --fetch-media: what requests name by an address
    size_t                   body_max      = 0;   // bytes
    std::string              prefix;              // of all paths
    std::string              front;               // what GET / answers to programs, "" to leave it to upstream
    std::string              page;                // and to browsers, "" for the web UI
    bool                     has_pages     = true;  // the web UI is served
    bool                     has_chat      = true;
    bool                     embeds        = false; // texts, which is all that it does
};

void                  request_rules_set(const request_rules & rules);
const request_rules & request_rules_get();

// Whether `--allow-origin '*'` leaves Host and Origin to upstream.
bool request_rules_are_open(const request_rules & rules);

// Calls `begin` in the thread of each request.
void request_begin_set(void (*begin)());

// A socket that upstream's server is to listen at: bound, and listening already. Several are taken in this
// order, one for each address of `--host`.
void server_socket_hand_on(intptr_t socket);
