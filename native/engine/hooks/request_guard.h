// Included by the compiler in front of upstream's server-http.cpp, whose server this one takes the place
// of: it knows who may ask before anything of a request's body is read, bounds what a body may cost, and
// listens at a socket that was bound before.
#pragma once

#include "cpp-httplib/httplib.h"

namespace httplib {

struct guarded_server : Server {
    guarded_server();

    Server & set_pre_routing_handler(HandlerWithResponse handler);
    Server & set_error_handler(Handler handler);
    Server & Post(const std::string & pattern, Handler handler);
    Server & Get(const std::string & pattern, Handler handler);
    Server & Delete(const std::string & pattern, Handler handler);

    bool bind_to_port(const std::string & host, int port);
    int  bind_to_any_port(const std::string & host);
};

} // namespace httplib

#ifdef LLAMAPACK_REQUEST_GUARD
#    define Server guarded_server
#endif
