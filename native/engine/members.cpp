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
    if (name.empty() && colon != std::string::npos && option_is_list(option.name)) { // NAME:SCALE
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

std::vector<std::string> members_list_items(const std::string & value) {
    std::vector<std::string> items(1);
    bool                     quoted = false;
    for (size_t i = 0; i < value.size(); i++) {
        const char c = value[i];
        if (c == '"' && !quoted && items.back().empty()) {
            quoted = true;
        } else if (c == '"' && quoted && value.compare(i + 1, 1, "\"") == 0) {
            items.back() += value[i++];
        } else if (c == '"' && quoted) {
            quoted = false;
        } else if (c == ',' && !quoted) {
            items.emplace_back();
        } else {
            items.back() += c;
        }
    }
    return items;
}

static std::string list_item(const std::string & text) {
    if (text.find_first_of(",\"") == std::string::npos) {
        return text;
    }
    std::string quoted = "\"";
    for (const char c : text) {
        quoted += c == '"' ? "\"\"" : std::string(1, c);
    }
    return quoted + "\"";
}

static std::string resolve_value(const std::string & value, const given_option & option, opened_by how, bundle & from) {
    if (!option_is_list(option.name)) {
        return resolve_one(value, option, how, from);
    }
    std::string resolved, separator;
    for (const std::string & item : members_list_items(value)) {
        resolved += separator + list_item(resolve_one(item, option, how, from));
        separator = ",";
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
