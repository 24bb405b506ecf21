// Included by the compiler in front of upstream's server-http.cpp, whose server this one takes the place
// of: it knows who may ask before anything of a request's body is read, bounds what a body may cost, and
// listens at a socket that was bound before.
#pragma once

#include "cpp-httplib/httplib.h"

#include <functional>
#include <memory>
#include <string>

namespace httplib {

class guarded_server {
    std::unique_ptr<Server>       server;
    std::function<void(socket_t)> listen_at;

    template <class Kind> explicit guarded_server(std::unique_ptr<Kind> made);

  public:
    using Handler             = Server::Handler;
    using HandlerResponse     = Server::HandlerResponse;
    using HandlerWithResponse = Server::HandlerWithResponse;

    guarded_server();
    guarded_server(const char * certificate, const char * key); // speaks TLS

    void set_pre_routing_handler(HandlerWithResponse handler);
    void set_error_handler(Handler handler);
    void Post(const std::string & pattern, Handler handler);
    void Get(const std::string & pattern, Handler handler);
    void Delete(const std::string & pattern, Handler handler);

    bool bind_to_port(const std::string & host, int port);
    int  bind_to_any_port(const std::string & host);

    // As they are.
    std::function<TaskQueue *()> & new_task_queue;

    void set_default_headers(Headers headers) { server->set_default_headers(std::move(headers)); }
    void set_exception_handler(Server::ExceptionHandler handler) { server->set_exception_handler(std::move(handler)); }
    void set_socket_options(SocketOptions options) { server->set_socket_options(std::move(options)); }
    void set_read_timeout(time_t seconds) { server->set_read_timeout(seconds); }
    void set_write_timeout(time_t seconds) { server->set_write_timeout(seconds); }
    void set_ipv6_v6only(bool on) { server->set_ipv6_v6only(on); }
    void set_address_family(int family) { server->set_address_family(family); }
    bool set_mount_point(const std::string & path, const std::string & folder) { return server->set_mount_point(path, folder); }
    bool listen_after_bind() { return server->listen_after_bind(); }
    bool is_running() const { return server->is_running(); }
    void wait_until_ready() const { server->wait_until_ready(); }
    void stop() { server->stop(); }
};

} // namespace httplib

#ifdef LLAMAPACK_REQUEST_GUARD
#    define Server    guarded_server
#    define SSLServer guarded_server
#endif
