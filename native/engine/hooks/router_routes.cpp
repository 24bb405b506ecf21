#include "router_routes.h"

#include "router_first_model.h"

static std::string & first_model() {
    static std::string name;
    return name;
}

void router_set_first_model(const std::string & name) {
    first_model() = name;
}

router_routes::router_routes(const common_params & params, int argc, char ** argv) : server_models_routes(params, argc, argv) {
    proxy_get = [this, get = proxy_get](const server_http_req & req) {
        if (first_model().empty() || models.has_model(req.get_param("model"))) {
            return get(req);
        }
        server_http_req meant = req;
        meant.params["model"] = first_model();
        return get(meant);
    };
    proxy_post = [this, post = proxy_post](const server_http_req & req) {
        json body = json::parse(req.body);
        if (first_model().empty() || !body.is_object() || models.has_model(json_value(body, "model", std::string()))) {
            return post(req);
        }
        body["model"] = first_model();
        server_http_req meant = req;
        meant.body            = body.dump();
        return post(meant);
    };
}
