#include "json_bounds.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

// Upstream copies, prints and frees trees by recursion.
static constexpr size_t DEPTH_MAX = 512;

// A template walks over all messages, some over all those before each.
static constexpr size_t MESSAGES_MAX = 10000;

// A value takes some 100 bytes as a tree.
static constexpr size_t VALUES_MAX = 2000000;

// Upstream looks for each key among all that its object has so far.
static constexpr uint64_t KEYS_COST_MAX = 100000000;

// A schema becomes a grammar: slow with many properties or words to choose from, deep with deep ones.
static constexpr size_t SCHEMA_DEPTH_MAX    = 64;
static constexpr size_t SCHEMA_KEYS_MAX     = 256;
static constexpr size_t SCHEMA_ELEMENTS_MAX = 2000;
static constexpr size_t SCHEMA_VALUES_MAX   = 200000;
static constexpr size_t SCHEMA_BYTES_MAX    = 2 * 1024 * 1024;

// Each `$ref` copies the whole schema.
static constexpr uint64_t SCHEMA_COPIES_MAX = 4000000;

static const char * const SERVER_KEYS[] = {
    "chat_format", "chat_parser", "generation_prompt", "grammar_type", "message_delimiters", "parse_tool_calls",
};

static const char * const SCHEMA_KEYS[] = {
    "format", "functions", "json_schema", "output_config", "output_format", "response_format", "text", "tools",
};

static const char * const MESSAGES_KEYS[] = { "input", "messages" };

template <size_t n> static bool is_any_of(const std::string & key, const char * const (&names)[n]) {
    return std::any_of(std::begin(names), std::end(names), [&](const char * name) { return key == name; });
}

bool json_key_is_server_s(const std::string & key) {
    return is_any_of(key, SERVER_KEYS);
}

struct json_level {
    bool     is_object;
    bool     at_key;
    uint32_t count; // of keys or elements
};

// The part of the text that is a schema, while it is read.
struct json_schema_part {
    bool   is_open = false;
    size_t begin   = 0;
    size_t values  = 0;
    size_t refs    = 0;
};

json_bounds::json_bounds(const std::string & text) {
    std::vector<json_level> levels;
    json_schema_part        schema;
    size_t                  values    = 0;
    uint64_t                keys_cost = 0;
    bool                    messages  = false; // whether the part that is read may be a list of them
    size_t                  message   = 0;

    const auto take_value = [&]() {
        values++;
        schema.values += schema.is_open;
    };
    const auto schema_end = [&](size_t pos) {
        if (schema.is_open && (schema.values > SCHEMA_VALUES_MAX || pos - schema.begin > SCHEMA_BYTES_MAX ||
                               (uint64_t) schema.values * schema.refs > SCHEMA_COPIES_MAX)) {
            refusal = "the schemas of the request are too large";
        }
        schema = {};
    };

    for (size_t pos = 0; pos < text.size() && refusal.empty(); pos++) {
        const char c = text[pos];
        if (c == '"') {
            const size_t begin = pos + 1;
            bool         plain = true;
            for (pos = begin; pos < text.size() && text[pos] != '"'; pos++) {
                if (text[pos] == '\\') {
                    plain = false;
                    pos++;
                }
            }
            take_value();
            if (levels.empty() || !levels.back().at_key) {
                continue;
            }
            json_level & level = levels.back();
            level.at_key = false;
            keys_cost += level.count++;
            // A key that is spelt with escapes may be any.
            const std::string key = plain ? text.substr(begin, pos - begin) : "";
            schema.refs += !plain || key == "$ref";
            if (levels.size() == 1) {
                has_server_keys = has_server_keys || !plain || json_key_is_server_s(key);
                schema.is_open  = !plain || is_any_of(key, SCHEMA_KEYS);
                schema.begin    = pos;
                messages        = !plain || is_any_of(key, MESSAGES_KEYS);
                message         = 0;
            }
        } else if (c == '{' || c == '[') {
            take_value();
            message += messages && levels.size() == 2 && c == '{';
            levels.push_back({ c == '{', c == '{', 0 });
        } else if (c == '}' || c == ']') {
            if (!levels.empty()) {
                levels.pop_back();
            }
            if (levels.size() <= 1) {
                schema_end(pos);
            }
        } else if (c == ',' && !levels.empty()) {
            json_level & level = levels.back();
            level.at_key = level.is_object;
            if (!level.is_object) {
                level.count++;
                take_value(); // a number or a word
            }
            if (levels.size() == 1) {
                schema_end(pos);
            }
        }

        if (levels.size() > DEPTH_MAX) {
            refusal = "the request is nested deeper than " + std::to_string(DEPTH_MAX) + " levels";
        } else if (message > MESSAGES_MAX) {
            refusal = "the request has more than " + std::to_string(MESSAGES_MAX) + " messages";
        } else if (values > VALUES_MAX || keys_cost > KEYS_COST_MAX) {
            refusal = "the request has too many values";
        } else if (schema.is_open && levels.size() > SCHEMA_DEPTH_MAX) {
            refusal = "a schema of the request is nested deeper than " + std::to_string(SCHEMA_DEPTH_MAX) + " levels";
        } else if (schema.is_open && levels.size() > 1 && levels.back().count > (levels.back().is_object ? SCHEMA_KEYS_MAX : SCHEMA_ELEMENTS_MAX)) {
            refusal = "a schema of the request has an object of more than " + std::to_string(SCHEMA_KEYS_MAX) + " properties, or a list of more than " +
                      std::to_string(SCHEMA_ELEMENTS_MAX) + " values";
        }
    }
}
