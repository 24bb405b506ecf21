#include "web_ui.h"

#include "archive.h"
#include "gzip_member.h"
#include "ui.h"

#include <cstdio>
#include <list>
#include <map>

static const std::string FOLDER = "web-ui/";

static std::string & bundle_path() {
    static std::string path;
    return path;
}

void web_ui_set_bundle(const std::string & path) {
    bundle_path() = path;
}

static std::string content_type(const std::string & name) {
    static const std::map<std::string, std::string> TYPES = {
        { ".css",         "text/css"                  },
        { ".html",        "text/html; charset=utf-8"  },
        { ".ico",         "image/x-icon"              },
        { ".jpg",         "image/jpeg"                },
        { ".js",          "application/javascript"    },
        { ".json",        "application/json"          },
        { ".png",         "image/png"                 },
        { ".svg",         "image/svg+xml"             },
        { ".webmanifest", "application/manifest+json" },
        { ".woff",        "font/woff"                 },
        { ".woff2",       "font/woff2"                },
    };
    const size_t dot   = name.rfind('.');
    const auto   found = dot == std::string::npos ? TYPES.end() : TYPES.find(name.substr(dot));
    return found == TYPES.end() ? "application/octet-stream" : found->second;
}

static std::string entity_tag(const zip_member & member) {
    char text[32];
    snprintf(text, sizeof(text), "\"%08x-%llx\"", (unsigned) member.crc32, (unsigned long long) member.size);
    return text;
}

static std::vector<llama_ui_asset> assets_load() {
    static std::list<std::string> contents; // never moved: the assets point into them
    std::vector<llama_ui_asset>   assets;

    archive from;
    if (bundle_path().empty() || from.open(bundle_path())) {
        return assets;
    }
    const zip_directory & directory = from.directory();
    for (size_t i = 0; i < directory.count; i++) {
        const zip_member & member = directory.members[i];
        const std::string  name   = member.name;
        if (name.rfind(FOLDER, 0) != 0 || name.back() == '/' || from.find(name) != &member) {
            continue;
        }
        std::string content = gzip_member(from, member);
        if (content.empty()) {
            fprintf(stderr, "web UI: %s of %s cannot be read; `llamapack verify` says what is damaged\n", name.c_str(), bundle_path().c_str());
            continue;
        }
        contents.push_back(std::move(content));
        const std::string & kept = contents.back();
        const std::string   path = name.substr(FOLDER.size());
        assets.push_back({ path, (const unsigned char *) kept.data(), kept.size(), entity_tag(member), content_type(path) });
    }
    return assets;
}

const std::vector<llama_ui_asset> & llama_ui_get_assets() {
    static const std::vector<llama_ui_asset> assets = assets_load();
    return assets;
}

static thread_local bool client_takes_gzip = true;

// The asset out of its gzip stream; good until this thread's next call.
static const llama_ui_asset * plain_asset(const llama_ui_asset & asset) {
    static thread_local std::string    content;
    static thread_local llama_ui_asset plain;

    content = gzip_plain(asset.data, asset.size);
    plain = { asset.name, (const unsigned char *) content.data(), content.size(), "W/" + asset.etag, asset.type };
    return &plain;
}

const llama_ui_asset * llama_ui_find_asset(const std::string & name) {
    for (const llama_ui_asset & asset : llama_ui_get_assets()) {
        if (asset.name == name) {
            return client_takes_gzip ? &asset : plain_asset(asset);
        }
    }
    return nullptr;
}

bool llama_ui_gzip_for(const std::string & accepted) {
    return client_takes_gzip = accepted.find("gzip") != std::string::npos;
}
