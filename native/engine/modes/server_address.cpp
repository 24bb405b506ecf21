#include "server_address.h"

#include "completion_page.h"

#include "http.h"
#include "request_rules.h"
#include "user_error.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <system_error>
#include <thread>

static constexpr int PORTS_TRIED = 100;
static constexpr int PORT_MAX    = 65535;

static constexpr size_t BODY_MAX       =  16 * 1024 * 1024; // a prompt of some million tokens
static constexpr size_t BODY_MAX_MEDIA = 256 * 1024 * 1024; // pictures, sound and video

#ifdef _WIN32
static constexpr int ADDRESS_IN_USE = WSAEADDRINUSE, ADDRESS_REFUSED = WSAEACCES;
#else
static constexpr int ADDRESS_IN_USE = EADDRINUSE, ADDRESS_REFUSED = EADDRINUSE;
#endif

// Whether the port is a wish only: 8080 or the bundle's, which the next free one may replace.
static bool server_port_is_wish(const options & opts) {
    const given_option * given = opts.find("--port");
    return given ? given->is_default : !std::getenv("LLAMA_ARG_PORT");
}

bool server_is_socket(const std::string & host) {
    static const std::string END = ".sock"; // as upstream's server knows one
    return host.size() >= END.size() && host.compare(host.size() - END.size(), END.size(), END) == 0;
}

bool server_is_tls(const common_params & params) {
    return !params.ssl_file_key.empty() && !params.ssl_file_cert.empty();
}

static user_error not_a_port(const std::string & text) {
    return { "--port " + text + " is not a port", "choose one from 1 to " + std::to_string(PORT_MAX) + ", or 0 for any that is free" };
}

// Throws user_error where the port that is asked for is not a number: upstream would print its manual.
static void server_port_check(const options & opts) {
    const char *      named = std::getenv("LLAMA_ARG_PORT");
    const std::string text  = opts.find("--port") ? opts.value("--port") : named ? named : "0";
    if (text.empty() || text.size() > 5 || text.find_first_not_of("0123456789") != std::string::npos) {
        throw not_a_port(text);
    }
}

// What upstream's server is made of, up to the socket.
struct server_binding : httplib::Server {
    int error = 0; // of the last try

    server_binding(const common_params & params, const std::string & host, bool is_alone) {
        set_error_logger([this](const httplib::Error &, const httplib::Request *) {
#ifdef _WIN32
            error = WSAGetLastError();
#else
            error = errno;
#endif
        });
        set_socket_options([reuse_port = params.reuse_port](socket_t sock) {
#ifdef _WIN32
            (void) reuse_port;
            httplib::set_socket_opt(sock, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1);
#else
            httplib::set_socket_opt(sock, SOL_SOCKET, SO_REUSEADDR, 1);
#    ifdef SO_REUSEPORT
            if (reuse_port) {
                httplib::set_socket_opt(sock, SOL_SOCKET, SO_REUSEPORT, 1);
            }
#    endif
#endif
        });
        if (server_is_socket(host)) {
            set_address_family(AF_UNIX);
        }
        set_ipv6_v6only(!is_alone); // as upstream's: else :: would take 0.0.0.0 as well
    }

    // The port; negative if the address cannot be had.
    int try_port(const std::string & host, int port) {
        error = 0;
        return port == 0 ? bind_to_any_port(host) : bind_to_port(host, port) ? port : -1;
    }

    socket_t take() { return svr_sock_.exchange(INVALID_SOCKET); }
};

static bool host_is_known(const std::string & host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo * found = nullptr;
    if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) {
        return false;
    }
    freeaddrinfo(found);
    return true;
}

static user_error cannot_bind(const std::string & host, int port, int error) {
    static const char * const TIP = "choose address and port with --host and --port";
    const std::string         where = host + (server_is_socket(host) ? "" : " port " + std::to_string(port));
    if (error == ADDRESS_IN_USE || error == ADDRESS_REFUSED) {
        return { "cannot serve at " + where + ": it is in use", server_is_socket(host) ? "remove the file, or choose another" : TIP };
    }
    if (!server_is_socket(host) && !host_is_known(host)) {
        return { "--host " + host + ": there is no such address", TIP };
    }
    const std::string why = error != 0 ? std::system_category().message(error) : "the name is too long";
    return { "cannot serve at " + where + ": " + why, TIP };
}

// All hosts at one port.
struct server_bindings {
    std::vector<std::unique_ptr<server_binding>> servers;
    std::string                                  refused; // the host that could not be had, if one could not
    int                                          port  = 0;
    int                                          error = 0;

    server_bindings(const common_params & params, size_t n_tcp, int wanted) : port(wanted) {
        for (const std::string & host : params.hostnames) {
            servers.push_back(std::make_unique<server_binding>(params, host, n_tcp < 2));
            const int bound = servers.back()->try_port(host, server_is_socket(host) ? PORT_MAX : port);
            if (bound < 0) {
                refused = host;
                error   = servers.back()->error;
                return;
            }
            port = server_is_socket(host) ? port : bound;
        }
    }

    ~server_bindings() {
        for (const auto & server : servers) {
            const socket_t left = server->take();
            if (left != INVALID_SOCKET) {
#ifdef _WIN32
                closesocket(left);
#else
                close(left);
#endif
            }
        }
    }
};

static std::string url_of(const common_params & params, const std::string & host, int port) {
    if (server_is_socket(host)) {
        return "unix://" + host;
    }
    const std::string reached = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host;
    return (server_is_tls(params) ? "https://" : "http://") + common_http_format_host(reached) + ":" + std::to_string(port) + params.api_prefix;
}

static common_params  place = params_default();
static server_address bound;

static server_address bind_all(common_params & params, bool port_is_wish) {
    if (params.port < 0 || params.port > PORT_MAX) {
        throw not_a_port(std::to_string(params.port));
    }
    const size_t n_tcp = params.hostnames.size() - (size_t) std::count_if(params.hostnames.begin(), params.hostnames.end(), server_is_socket);
    if (n_tcp > 1 && params.port == 0) {
        throw user_error("--port 0 is for one address only", "choose a port for the addresses of --host");
    }
    const int first = params.port;
    const int last  = port_is_wish && first != 0 && n_tcp == params.hostnames.size() ? std::min(first + PORTS_TRIED - 1, PORT_MAX) : first;
    for (int port = first;; port++) {
        const server_bindings made(params, n_tcp, port);
        if (made.refused.empty()) {
            for (const auto & server : made.servers) {
                server_socket_hand_on((intptr_t) server->take());
            }
            params.port = n_tcp > 0 ? made.port : params.port;
            break;
        }
        const bool is_taken = made.error == ADDRESS_IN_USE || made.error == ADDRESS_REFUSED;
        if (!is_taken || port >= last) {
            throw cannot_bind(made.refused, first, made.error);
        }
    }
    server_address address;
    for (const std::string & host : params.hostnames) {
        const std::string url = url_of(params, host, params.port);
        if (address.url.empty() && !server_is_socket(host)) {
            address.url = url;
        } else {
            address.others.push_back(url);
        }
    }
    address.note = params.port == first || first == 0 ? "" : "port " + std::to_string(first) + " is taken";
    return address;
}

void server_address_bind(const options & opts, bool is_private) {
    if (is_private) { // any free port
        place.hostnames = { "127.0.0.1" };
        place.port      = 0;
    } else {
        server_port_check(opts);
        options_apply_some(opts, { "--host", "--port", "--reuse-port", "--api-prefix", "--ssl-key-file", "--ssl-cert-file" }, place);
        if (opts.mode == run_mode::chat_and_server && std::all_of(place.hostnames.begin(), place.hostnames.end(), server_is_socket)) {
            throw user_error("--host " + place.hostnames.front() + ": the chat does not talk to a socket", "--server serves at it");
        }
    }
    bound = bind_all(place, !is_private && server_port_is_wish(opts));
}

const server_address & server_address_take(common_params & params) {
    params.hostnames  = place.hostnames;
    params.port       = place.port;
    params.reuse_port = place.reuse_port;
    params.api_prefix = place.api_prefix;
    return bound;
}

int server_address_port() {
    return place.port;
}

std::string server_address_url() {
    return bound.url;
}

static bool is_all_addresses(const std::string & host) {
    unsigned char bytes[16] = {};
    if (inet_pton(AF_INET, host.c_str(), bytes) != 1 && inet_pton(AF_INET6, host.c_str(), bytes) != 1) {
        return false;
    }
    return std::all_of(std::begin(bytes), std::end(bytes), [](unsigned char byte) { return byte == 0; });
}

// The first line is what Ollama's clients look for.
static std::string front_text(const common_params & params, bool has_chat) {
    const std::string ollama = "Ollama is running\n";
    return params.pooling_type == LLAMA_POOLING_TYPE_RANK ? ollama + "This server ranks documents: POST /v1/rerank\n"
         : params.embedding ? ollama + "This server embeds texts: POST /v1/embeddings\n"
         : has_chat ? ollama : ollama + "This server completes texts: POST /v1/completions\n";
}

void server_rules_set(common_params & params, const options & opts, bool has_media) {
    const bool    has_chat = !opts.no_chat;
    request_rules rules;
    rules.is_tls        = server_is_tls(params);
    rules.fetches       = opts.fetch_media;
    rules.prefix        = params.api_prefix;
    rules.has_chat      = has_chat;
    rules.embeds        = params.embedding;
    rules.front         = params.public_path.empty() ? front_text(params, has_chat) : ""; // the user's own pages
    rules.page          = has_chat ? "" : COMPLETION_PAGE;
    rules.has_pages     = params.ui;
    rules.origins       = opts.allowed_origins;
    std::copy_if(params.hostnames.begin(), params.hostnames.end(), std::back_inserter(rules.hosts), [](const std::string & host) { return !server_is_socket(host); });
    rules.all_addresses = std::any_of(rules.hosts.begin(), rules.hosts.end(), is_all_addresses);
    rules.has_key       = !params.api_keys.empty();
    rules.body_max      = has_media || !params.mmproj.path.empty() ? BODY_MAX_MEDIA : BODY_MAX;
    if (params.cors_origins_explicit && params.cors_origins != "localhost") {
        for (const std::string & origin : string_split<std::string>(params.cors_origins, ',')) {
            rules.origins.push_back(string_strip(origin));
        }
    }
    if (!rules.has_key && !request_rules_are_open(rules)) {
        params.cors_origins = "localhost"; // the guard names those that are let in
    }
    request_rules_set(rules);
}

bool server_wait(const std::string & url, const std::function<bool()> & stop) {
    while (!stop()) {
        auto [client, parts] = common_http_client(url);
        client.set_connection_timeout(1, 0);
        client.enable_server_certificate_verification(false); // the socket is this process's own
        const auto answer = client.Get((parts.path == "/" ? "" : parts.path) + "/health");
        if (answer && answer->status == 200) {
            return !stop();
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
}
