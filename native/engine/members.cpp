#include "members.h"

#include "sidecar.h"
#include "user_error.h"

#include <algorithm>
#include <filesystem>

namespace fs = std::filesystem;

static const std::string ZIP_ROOT = "/zip/";

// How upstream opens the file that an option names.
enum class opened_by {
    ggml_fopen,  // our ggml_fopen finds the member
    own_reader,  // its own reader, from the start of a real file
    text_reader, // its own reader, the whole of a small file
};

struct file_option {
    const char * name;
    opened_by    how;
};

static const file_option FILE_OPTIONS[] = {
    { "--model",                  opened_by::ggml_fopen  },
    { "--model-draft",            opened_by::ggml_fopen  },
    { "--lora",                   opened_by::ggml_fopen  },
    { "--lora-scaled",            opened_by::ggml_fopen  },
    { "--control-vector",         opened_by::ggml_fopen  },
    { "--control-vector-scaled",  opened_by::ggml_fopen  },
    { "--mmproj",                 opened_by::own_reader  },
    { "--chat-template-file",     opened_by::text_reader },
    { "--grammar-file",           opened_by::text_reader },
    { "--json-schema-file",       opened_by::text_reader },
    { "--file",                   opened_by::text_reader },
    { "--binary-file",            opened_by::text_reader },
    { "--in-file",                opened_by::text_reader },
    { "--system-prompt-file",     opened_by::text_reader },
    { "--api-key-file",           opened_by::text_reader },
    { "--ui-config-file",         opened_by::text_reader },
    { "--models-preset",          opened_by::text_reader },
    { "--image",                  opened_by::text_reader },
    { "--lookup-cache-static",    opened_by::text_reader },
};

static const file_option * file_option_find(const std::string & name) {
    const auto it = std::find_if(std::begin(FILE_OPTIONS), std::end(FILE_OPTIONS),
                                 [&](const file_option & one) { return options_same(name, one.name); });
    return it == std::end(FILE_OPTIONS) ? nullptr : it;
}

std::string member_named(const std::string & text, bool is_default, const bundle & from) {
    if (text.rfind(ZIP_ROOT, 0) == 0) {
        const std::string name = text.substr(ZIP_ROOT.size());
        return from.has(name) ? name : "";
    }
    std::error_code error;
    return from.has(text) && (is_default || !fs::exists(fs::u8path(text), error)) ? text : "";
}

static std::string resolve_one(const std::string & text, bool is_default, opened_by how, bundle & from) {
    std::string name = member_named(text, is_default, from);
    std::string scale;
    const size_t colon = text.rfind(':');
    if (name.empty() && colon != std::string::npos) { // NAME:SCALE
        name  = member_named(text.substr(0, colon), is_default, from);
        scale = text.substr(colon);
    }
    if (name.empty()) {
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
    }
    return text;
}

static std::string resolve_value(const std::string & value, bool is_default, opened_by how, bundle & from) {
    std::string resolved;
    size_t      start = 0;
    while (start <= value.size()) { // upstream takes comma-separated lists of files
        const size_t comma = std::min(value.find(',', start), value.size());
        resolved += (start > 0 ? "," : "") + resolve_one(value.substr(start, comma - start), is_default, how, from);
        start = comma + 1;
    }
    return resolved;
}

void members_resolve(options & opts, bundle & from) {
    if (!from.is_open()) {
        return;
    }
    for (auto & option : opts.given) {
        const file_option * file = file_option_find(option.name);
        if (!file) {
            continue;
        }
        for (auto & value : option.values) {
            value = resolve_value(value, option.is_default, file->how, from);
        }
    }
}

std::string members_name(const std::string & option, const std::string & value, bool is_default, bundle & from) {
    const bool is_file = from.is_open() && file_option_find(option);
    return is_file ? resolve_value(value, is_default, opened_by::ggml_fopen, from) : value;
}
