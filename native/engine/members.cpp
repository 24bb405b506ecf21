#include "members.h"

#include "judged_options.h"
#include "sidecar.h"
#include "user_error.h"

#include <algorithm>
#include <filesystem>

namespace fs = std::filesystem;

static const std::string ZIP_ROOT = "/zip/";

std::string member_named(const std::string & text, bool is_default, const bundle & from) {
    if (text.rfind(ZIP_ROOT, 0) == 0) {
        const std::string name = text.substr(ZIP_ROOT.size());
        return from.has(name) ? name : "";
    }
    std::error_code error;
    return from.has(text) && (is_default || !fs::exists(fs::u8path(text), error)) ? text : "";
}

static std::string resolve_one(const std::string & text, const given_option & option, opened_by how, bundle & from) {
    const bool  is_default = option.is_default;
    std::string name       = member_named(text, is_default, from);
    std::string scale;
    const size_t colon = text.rfind(':');
    if (name.empty() && colon != std::string::npos) { // NAME:SCALE
        name  = member_named(text.substr(0, colon), is_default, from);
        scale = text.substr(colon);
    }
    if (name.empty()) {
        if (option.is_data) {
            throw user_error(from.path() + ": its arguments have " + option.name + " " + text + ", which is not in it",
                             "a file of weights names its own members only; --trust-args obeys all of its arguments");
        }
        if (text.rfind(ZIP_ROOT, 0) == 0) {
            throw user_error(text + ": the bundle has no such member", "`llamapack inspect` lists the members");
        }
        const std::string beside = is_default ? sidecar_file(from.path(), text) : "";
        return beside.empty() ? text : beside;
    }
    if (how != opened_by::text_reader) {
        from.check_place(name);
    }
    switch (how) {
        case opened_by::ggml_fopen:  return ZIP_ROOT + name + scale;
        case opened_by::own_reader:  return from.alias(name);
        case opened_by::text_reader: return from.materialize(name);
        case opened_by::nothing:     return text;
    }
    return text;
}

static std::string resolve_value(const std::string & value, const given_option & option, opened_by how, bundle & from) {
    std::string resolved;
    size_t      start = 0;
    while (start <= value.size()) { // upstream takes comma-separated lists of files
        const size_t comma = std::min(value.find(',', start), value.size());
        resolved += (start > 0 ? "," : "") + resolve_one(value.substr(start, comma - start), option, how, from);
        start = comma + 1;
    }
    return resolved;
}

void members_resolve(options & opts, bundle & from) {
    if (!from.is_open()) {
        return;
    }
    for (auto & option : opts.given) {
        const opened_by how = option_opened_by(option.name);
        if (how == opened_by::nothing) {
            continue;
        }
        for (auto & value : option.values) {
            value = resolve_value(value, option, how, from);
        }
    }
}

std::string members_name(const given_option & option, const std::string & value, bundle & from) {
    const bool is_file = from.is_open() && option_opened_by(option.name) != opened_by::nothing;
    return is_file ? resolve_value(value, option, opened_by::ggml_fopen, from) : value;
}
