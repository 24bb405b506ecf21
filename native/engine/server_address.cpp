#include "server_address.h"

#include "http.h"
#include "user_error.h"

#include <chrono>
#include <thread>

static constexpr int PORT_DEFAULT = 8080;
static constexpr int PORTS_TRIED  = 100;

static bool port_free(const std::string & host, int port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags    = AI_PASSIVE;
    addrinfo * found = nullptr;
    if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
        return true; // no address: the server says what is wrong with it
    }
    const auto sock = socket(found->ai_family, SOCK_STREAM, 0);
    int        yes  = 1;
#ifdef _WIN32
    setsockopt(sock, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *) &yes, sizeof(yes));
#else
    setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
#endif
    const bool is_free = bind(sock, found->ai_addr, (socklen_t) found->ai_addrlen) == 0;
    freeaddrinfo(found);
#ifdef _WIN32
    closesocket(sock);
#else
    close(sock);
#endif
    return is_free;
}

static std::string host_of(const options & opts) {
    const std::string host = opts.value("--host");
    return host.empty() ? "127.0.0.1" : host;
}

std::string server_address_choose(options & opts) {
    const given_option * given = opts.find("--port");
    if (given && !given->is_default) {
        return "";
    }
    if (!given && std::getenv("LLAMA_ARG_PORT")) {
        return "";
    }
    const int first = given ? std::atoi(given->values.back().c_str()) : PORT_DEFAULT;
    for (int port = first; port < first + PORTS_TRIED && port < 65536; port++) {
        if (port_free(host_of(opts), port)) {
            opts.remove("--port");
            opts.add("--port", std::to_string(port));
            return port == first ? "" : "port " + std::to_string(first) + " is taken";
        }
    }
    throw user_error("no free port from " + std::to_string(first) + " on at " + host_of(opts),
                     "choose address and port with --host and --port");
}

std::string server_url(const options & opts) {
    std::string host = host_of(opts);
    if (host == "0.0.0.0") {
        host = "127.0.0.1";
    } else if (host == "::") {
        host = "::1";
    }
    const char *      env  = std::getenv("LLAMA_ARG_PORT");
    const std::string port = opts.find("--port") ? opts.value("--port") : env ? env : std::to_string(PORT_DEFAULT);
    return "http://" + common_http_format_host(host) + ":" + port + opts.value("--api-prefix");
}

bool server_wait(const std::string & url, const std::function<bool()> & stop) {
    while (!stop()) {
        auto [client, parts] = common_http_client(url);
        client.set_connection_timeout(1, 0);
        const auto answer = client.Get((parts.path == "/" ? "" : parts.path) + "/health");
        if (answer && answer->status == 200) {
            return true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
}
