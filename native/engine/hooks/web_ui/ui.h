// In place of the header that upstream's tools/ui generates for the pages it embeds: ours lie in the
// bundle, once for all its engines. The names are those that upstream's server uses.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#define LLAMA_UI_HAS_ASSETS 1

struct llama_ui_asset {
    std::string           name;
    const unsigned char * data;
    std::size_t           size;
    std::string           etag;
    std::string           type;
};

const std::vector<llama_ui_asset> & llama_ui_get_assets();
const llama_ui_asset *              llama_ui_find_asset(const std::string & name);

// Whether a client that accepts these encodings gets gzip streams; what this thread finds next is in the
// form that it gets.
bool llama_ui_gzip_for(const std::string & accepted);

// Upstream asks with `req` and `res` at hand, and would refuse clients that do not accept gzip.
#define llama_ui_use_gzip() \
    (res.set_header("Vary", "Accept-Encoding"), llama_ui_gzip_for(req.get_header_value("Accept-Encoding")))
