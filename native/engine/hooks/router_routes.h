// Included by the compiler in front of upstream's server.cpp. A card's example names some model; where
// this file has none of that name, its first one answers, as it does in a file with one model.
#pragma once

#include "server-models.h"

struct router_routes : server_models_routes {
    router_routes(const common_params & params, int argc, char ** argv);
};

#ifdef LLAMAPACK_ROUTER_ROUTES
#    define server_models_routes router_routes
#endif
