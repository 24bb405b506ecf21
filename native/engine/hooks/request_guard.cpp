#include "request_guard.h"

#include "api_error.h"
#include "json_bounds.h"
#include "leaving.h"
#include "request_rules.h"
#include "schema_bounds.h"

#include "download.h"
#include "json.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstring>
#include <deque>
#include <thread>

#ifdef __GLIBC__
#    include <malloc.h>
#endif

using httplib::Request;
using httplib::Response;

static constexpr int    ANSWER_MS  = 200;
static constexpr size_t BODY_SMALL = 1024 * 1024;

static request_rules & rules_now() {
    static request_rules rules;
    return rules;
}

static std::deque<socket_t> & sockets_now() {
    static std::deque<socket_t> sockets;
    return sockets;
}

static void (*begin_now)() = [] {};

void request_begin_set(void (*begin)()) {
    begin_now = begin;
}

void request_rules_set(const request_rules & rules) {
    rules_now() = rules;
}

const request_rules & request_rules_get() {
    return rules_now();
}

bool request_rules_are_open(const request_rules & rules) {
    return std::find(rules.origins.begin(), rules.origins.end(), "*") != rules.origins.end();
}

void server_socket_hand_on(intptr_t socket) {
    sockets_now().push_back((socket_t) socket);
}

//
// Names
//

static std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return (char) std::tolower(c); });
    return text;
}

static bool is_port_or_nothing(const std::string & text) {
    return text.empty() || (text[0] == ':' && text.find_first_not_of("0123456789", 1) == std::string::npos);
}

// The host of "host", "host:port", "[::1]:port", without brackets and a last dot; "" if it is none of these.
static std::string host_name(const std::string & authority) {
    const std::string text     = lower(authority);
    const bool        brackets = !text.empty() && text[0] == '[';
    const size_t      end      = std::min(text.find(brackets ? ']' : ':'), text.size());
    const std::string name     = brackets ? text.substr(1, end - 1) : text.substr(0, end);
    const bool        is_plain = std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c >= 0x80 || strchr("-._:%", c); });
    if (!is_plain || (brackets && end == text.size()) || !is_port_or_nothing(text.substr(end + brackets))) {
        return "";
    }
    return !name.empty() && name.back() == '.' ? name.substr(0, name.size() - 1) : name;
}

// "https://example.com" in any spelling: lower case, without the port that goes without saying.
static std::string origin_plain(const std::string & origin) {
    const std::string plain = lower(origin);
    for (const auto & [scheme, port] : { std::pair<std::string, std::string>("http://", ":80"), { "https://", ":443" } }) {
        if (plain.rfind(scheme, 0) == 0 && plain.size() > port.size() && plain.compare(plain.size() - port.size(), port.size(), port) == 0) {
            return plain.substr(0, plain.size() - port.size());
        }
    }
    return plain;
}

static std::string origin_authority(const std::string & origin) {
    const size_t scheme = origin.find("://");
    return scheme == std::string::npos ? origin : origin.substr(scheme + 3);
}

static bool is_address(const std::string & name) {
    unsigned char bytes[16];
    return inet_pton(AF_INET, name.c_str(), bytes) == 1 || inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

static bool is_loopback(const std::string & name) {
    static const std::string LOCALHOST = ".localhost";
    unsigned char            bytes[16];
    if (inet_pton(AF_INET, name.c_str(), bytes) == 1) {
        return bytes[0] == 127;
    }
    if (inet_pton(AF_INET6, name.c_str(), bytes) == 1) {
        static const unsigned char ONE[16]    = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
        static const unsigned char MAPPED[13] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127 };
        return memcmp(bytes, ONE, 16) == 0 || memcmp(bytes, MAPPED, 13) == 0;
    }
    return "." + name == LOCALHOST ||
           (name.size() > LOCALHOST.size() && name.compare(name.size() - LOCALHOST.size(), LOCALHOST.size(), LOCALHOST) == 0);
}

// Nobody can make an address lead elsewhere, as one can with a name.
static bool host_is_allowed(const request_rules & rules, const std::string & name, const std::string & local) {
    return is_loopback(name) || (!name.empty() && std::any_of(rules.hosts.begin(), rules.hosts.end(), [&](const std::string & one) { return lower(one) == name; })) || (is_address(name) && (rules.all_addresses || name == local)) ||
           (!name.empty() && std::any_of(rules.origins.begin(), rules.origins.end(),
                                         [&](const std::string & one) { return host_name(origin_authority(one)) == name; }));
}

static bool origin_is_allowed(const request_rules & rules, const std::string & origin, const std::string & host) {
    if (origin.find("://") == std::string::npos) {
        return false; // "null"
    }
    const std::string authority = origin_authority(origin);
    const std::string plain     = origin_plain(origin);
    const bool        is_web    = plain.rfind("http://", 0) == 0 || plain.rfind("https://", 0) == 0;
    if ((is_web && is_loopback(host_name(authority))) || (!host.empty() && plain == origin_plain((rules.is_tls ? "https://" : "http://") + host))) {
        return true;
    }
    return std::any_of(rules.origins.begin(), rules.origins.end(), [&](const std::string & one) {
        return one.find("://") != std::string::npos ? origin_plain(one) == plain
             : lower(one) == lower(authority) || lower(one) == host_name(authority);
    });
}

//
// Requests
//

static const char JSON[] = "application/json; charset=utf-8";

struct refused {
    int         status = 0; // 0: it is not
    std::string message;
};

// Only what a name may have: the message is read by people.
static std::string printable(const std::string & text) {
    std::string kept;
    for (const char c : text.substr(0, 200)) {
        kept += std::isalnum((unsigned char) c) || strchr(".:-_/[]", c) ? c : '?';
    }
    return kept;
}

static bool is_reading(const Request & req) {
    return req.method == "GET" || req.method == "HEAD" || req.method == "OPTIONS";
}

static refused caller_refused(const request_rules & rules, const Request & req) {
    static const std::string TIP = "; --allow-origin lets it in";

    const std::string host = req.get_header_value("Host");
    if (req.get_header_value_count("Host") > 1 || (!host.empty() && !host_is_allowed(rules, host_name(host), req.local_addr))) {
        return { 403, "this server is not known as " + printable(host_name(host)) + TIP };
    }
    std::string origin = req.get_header_value("Origin");
    if (!req.has_header("Origin")) {
        // Old browsers send no origin with a form, and none sends it where a page only shows something.
        const std::string referer = req.get_header_value("Referer");
        const size_t      path    = referer.find('/', std::min(referer.size(), referer.find("://") + 3));
        origin = referer.substr(0, path);

        const bool foreign = req.get_header_value("Sec-Fetch-Site") == "cross-site";
        const bool visited = is_reading(req) && req.get_header_value("Sec-Fetch-Mode") == "navigate" &&
                             (!req.has_header("Sec-Fetch-Dest") || req.get_header_value("Sec-Fetch-Dest") == "document");
        if (is_reading(req) ? !foreign || visited : origin.empty() && !foreign) {
            return {};
        }
    }
    if (req.get_header_value_count("Origin") > 1 || !origin_is_allowed(rules, origin, host)) {
        return { 403, "pages of " + (origin.empty() ? "other sites" : printable(origin)) + " may not use this server" + TIP };
    }
    return {};
}

static bool is_browser(const Request & req) {
    for (const char * name : { "Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest" }) {
        if (req.has_header(name)) {
            return true;
        }
    }
    return req.get_header_value("User-Agent").find("Mozilla/") != std::string::npos;
}

// Clients look there whether a server is one of their kind; browsers want the page.
static bool is_for_page(const Request & req) {
    return is_reading(req) && req.get_header_value("Accept").find("text/html") != std::string::npos;
}

static bool front_answer(const Request & req, Response & res) {
    const request_rules & rules = rules_now();
    if (!is_reading(req) || req.method == "OPTIONS" || req.path != rules.prefix + "/" || rules.front.empty() || (is_for_page(req) && rules.page.empty() && rules.has_pages)) {
        return false;
    }
    const bool is_page = is_for_page(req) && !rules.page.empty();
    res.set_content(is_page ? rules.page : rules.front, is_page ? "text/html; charset=utf-8" : "text/plain; charset=utf-8");
    return true;
}

// Browsers send other types to any address, without asking whether they may.
static bool body_is_json_or_form(const Request & req) {
    const std::string header = lower(req.get_header_value("Content-Type"));
    std::string       type   = header.substr(0, header.find(';'));
    type.erase(type.find_last_not_of(" \t") + 1);

    const bool is_json = type == "application/json" ||
                         (type.rfind("application/", 0) == 0 && type.size() > 5 && type.compare(type.size() - 5, 5, "+json") == 0);
    // `curl -d` alone calls everything a form.
    const bool is_unnamed = type.empty() || type == "application/x-www-form-urlencoded";
    return req.get_header_value_count("Content-Type") <= 1 && (is_json || type == "multipart/form-data" || (is_unnamed && !is_browser(req)));
}

static bool has_body(const Request & req) {
    return req.get_header_value_u64("Content-Length") > 0 || req.has_header("Transfer-Encoding");
}

static refused body_too_large(const request_rules & rules) {
    return { 413, "the body is larger than " + std::to_string(rules.body_max) + " bytes" };
}

// Such a request ends with its connection.
static bool may_have_body(const Request & req) {
    return has_body(req) || (!is_reading(req) && !req.has_header("Content-Length"));
}

static refused body_refused(const request_rules & rules, const Request & req) {
    if (may_have_body(req) && !body_is_json_or_form(req)) {
        return { 415, "send JSON with the header Content-Type: application/json" };
    }
    return req.get_header_value_u64("Content-Length") > rules.body_max ? body_too_large(rules) : refused();
}

static refused request_refused(const Request & req) {
    const request_rules & rules = rules_now();
    refused               why;
    if (!rules.has_key && !request_rules_are_open(rules)) {
        why = caller_refused(rules, req);
    }
    return why.status == 0 ? body_refused(rules, req) : why;
}

static std::string error_text(const Request & req, const refused & why) {
    return api_error_text(req.path, why.status, {
        { "message", why.message },
        { "type",    why.status == 403 ? "permission_error" : "invalid_request_error" },
    });
}

// Upstream's own refusals, in the shape of the API that was asked.
static void error_reshape(const Request & req, Response & res) {
    const common_json answer = common_json::parse_no_throw(res.body);
    if (res.status >= 400 && answer.is_object() && answer.contains("error") && answer.at("error").is_object()) {
        res.set_content(api_error_text(req.path, res.status, answer.at("error")), JSON);
    }
}

static void answer_refused(const Request & req, Response & res, const refused & why) {
    const std::string text = error_text(req, why);
    res.status = why.status;
    if (!has_body(req)) {
        res.set_content(text, JSON);
        return;
    }
    // The body stays unread, and a connection that is closed so loses the answer as well: the client gets
    // a moment to read it.
    res.set_content_provider(
        text.size(), JSON, [text](size_t offset, size_t size, httplib::DataSink & sink) { return sink.write(text.data() + offset, size); },
        [](bool) { std::this_thread::sleep_for(std::chrono::milliseconds(ANSWER_MS)); });
}

static void body_drop_server_keys(Request & req) {
    common_json body = common_json::parse_no_throw(req.body);
    if (body.is_discarded() || !body.is_object()) {
        return; // upstream says what is wrong with it
    }
    std::vector<std::string> keys;
    for (const auto & item : body.items()) {
        if (json_key_is_server_s(item.key())) {
            keys.push_back(item.key());
        }
    }
    for (const std::string & key : keys) {
        body.erase(key);
    }
    req.body = body.dump_safe();
}

// Upstream says that it failed itself where the body is what is wrong; clients send such requests again.
static void answer_blame_body(const Request & req, Response & res) {
    common_json answer = common_json::parse_no_throw(res.body);
    if (answer.is_discarded() || !answer.is_object() || !answer.contains("error")) {
        return;
    }
    common_json error = answer.at("error");
    if (!error.is_object() || !error.contains("message") || !error.at("message").is_string() ||
        error.at("message").get<std::string>().rfind("[json.exception.", 0) != 0) {
        return;
    }
    res.status = 400;
    res.set_content(error_text(req, { 400, error.at("message").get<std::string>() }), JSON);
}

// The C library keeps what was freed, a part for each thread that had it.
static void memory_return() {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

// Bounds the body before upstream's handler sees it.
static httplib::Server::Handler guarded(httplib::Server::Handler handler) {
    return [handler](const Request & given, Response & res) {
        begin_now();
        Request & req = const_cast<Request &>(given); // the caller's own, and no constant there
        if (req.is_multipart_form_data()) {
            auto & fields = req.form.fields;
            for (auto it = fields.begin(); it != fields.end();) {
                it = json_key_is_server_s(it->first) ? fields.erase(it) : std::next(it);
            }
        } else if (!req.body.empty()) {
            const json_bounds bounds(req.body);
            if (!bounds.refusal.empty()) {
                res.status = 400;
                res.set_content(error_text(req, { 400, bounds.refusal }), JSON);
                return;
            }
            if (bounds.has_server_keys) {
                body_drop_server_keys(req);
            }
        }
        // The router sends the headers on to a process that knows another address.
        for (const char * name : { "Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest" }) {
            req.headers.erase(name);
        }
        // Whoever waits for an answer asks this now and then.
        req.is_connection_closed = [closed = req.is_connection_closed]() { return leaving_begun() || closed(); };
        schema_work_begin();
        handler(req, res);
        if (res.status == 500) {
            answer_blame_body(req, res);
        }
        if (given.body.size() > BODY_SMALL) {
            memory_return();
        }
    };
}

// In place of upstream's where a request names a picture by its address: whoever may ask this server could
// have it ask others, in this machine's name and network.
std::pair<long, std::vector<char>> media_get_content(const std::string & url, const common_remote_params & params) {
    if (!rules_now().fetches) {
        throw std::invalid_argument("this server fetches no media from addresses: send a data: URL, or start it with --fetch-media");
    }
    return common_remote_get_content(url, params);
}

namespace httplib {

// Knows how to listen at a socket of ours.
template <class Kind> struct handed_socket : Kind {
    using Kind::Kind;
    void listen_at(socket_t socket) { this->svr_sock_ = socket; }
};

guarded_server::guarded_server() : guarded_server(std::make_unique<handed_socket<Server>>()) {}

guarded_server::guarded_server(const char * certificate, const char * key) :
    guarded_server(std::make_unique<handed_socket<SSLServer>>(certificate, key)) {}

template <class Kind> guarded_server::guarded_server(std::unique_ptr<Kind> made) : server(std::move(made)), new_task_queue(server->new_task_queue) {
    listen_at = [kind = static_cast<Kind *>(server.get())](socket_t socket) { kind->listen_at(socket); };
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024); // larger bodies go back at once
#endif
    server->set_payload_max_length(rules_now().body_max);
    server->set_expect_100_continue_handler([](const Request & req, Response & res) {
        const refused why = request_refused(req);
        if (why.status != 0) {
            answer_refused(req, res, why);
        }
        return why.status == 0 ? (int) StatusCode::Continue_100 : why.status;
    });
}

void guarded_server::set_pre_routing_handler(HandlerWithResponse handler) {
    server->set_pre_routing_handler([handler](const Request & req, Response & res) {
        const refused why = request_refused(req);
        if (why.status != 0) {
            answer_refused(req, res, why);
            return HandlerResponse::Handled;
        }
        if (front_answer(req, res)) {
            return HandlerResponse::Handled;
        }
        std::string & path = const_cast<Request &>(req).path; // the caller's own, and no constant there
        if (path.size() > 1 && path.back() == '/' && !is_for_page(req)) {
            path.pop_back();
        }
        const HandlerResponse handled = handler(req, res);
        error_reshape(req, res);
        if (!rules_now().has_key && !request_rules_are_open(rules_now())) {
            res.headers.erase("Access-Control-Allow-Origin");
            if (req.has_header("Origin")) {
                res.set_header("Vary", "Origin");
                res.set_header("Access-Control-Allow-Origin", req.get_header_value("Origin"));
            }
        }
        return handled;
    });
}

void guarded_server::set_error_handler(Handler handler) {
    server->set_error_handler([handler](const Request & req, Response & res) {
        if (res.body.empty()) { // no route has said what is wrong
            handler(req, res);
            error_reshape(req, res);
        }
        if (res.status == StatusCode::PayloadTooLarge_413 && res.body.empty()) {
            answer_refused(req, res, body_too_large(rules_now()));
        }
    });
}

void guarded_server::Post(const std::string & pattern, Handler handler) {
    server->Post(pattern, guarded(std::move(handler)));
}

void guarded_server::Get(const std::string & pattern, Handler handler) {
    server->Get(pattern, guarded(std::move(handler)));
}

void guarded_server::Delete(const std::string & pattern, Handler handler) {
    server->Delete(pattern, guarded(std::move(handler)));
}

bool guarded_server::bind_to_port(const std::string & host, int port) {
    if (sockets_now().empty()) {
        return server->bind_to_port(host, port);
    }
    listen_at(sockets_now().front());
    sockets_now().pop_front();
    return true;
}

int guarded_server::bind_to_any_port(const std::string & host) {
    return bind_to_port(host, 0) ? 0 : -1;
}

} // namespace httplib
