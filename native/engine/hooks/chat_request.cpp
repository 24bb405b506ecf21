// In place of upstream's reading of a chat request, whichever API it came by: what clients ask for is
// made into what upstream does, and what it would leave out in silence is refused.

#include "call_grammar.h"
#include "schema_patterns.h"

#include "server-chat.h"
#include "server-common.h"

#include <algorithm>
#include <stdexcept>

static bool has(const json & body, const char * key) {
    return body.is_object() && body.contains(key) && !body.at(key).is_null();
}

static std::string text_of(const json & value, const char * key) {
    return has(value, key) && value.at(key).is_string() ? value.at(key).get<std::string>() : "";
}

// The list of this name, or an empty one.
static json & list_in(json & body, const char * key) {
    static thread_local json none;
    none = json::array();
    return has(body, key) && body.at(key).is_array() ? body[key] : none;
}

static void refuse(const std::string & why) {
    throw std::invalid_argument(why);
}

// {"text": {"format": …}} of the Responses API is `response_format` elsewhere, with one level more.
static void format_mend(json & body) {
    if (!has(body, "text") || !has(body.at("text"), "format") || has(body, "response_format")) {
        return;
    }
    const json        format = body.at("text").at("format");
    const std::string type   = text_of(format, "type");
    if (type == "json_schema") {
        body["response_format"] = json{ { "type", type }, { "json_schema", format } };
    } else if (!type.empty() && type != "text") {
        body["response_format"] = json{ { "type", type } };
    }
}

static std::string tool_name(const json & tool) {
    return has(tool, "function") ? text_of(tool.at("function"), "name") : text_of(tool, "name");
}

static void tools_keep(json & body, const std::vector<std::string> & names) {
    json kept = json::array();
    for (const std::string & name : names) {
        const size_t before = kept.size();
        for (const json & tool : list_in(body, "tools")) {
            if (tool_name(tool) == name) {
                kept.push_back(tool);
            }
        }
        if (kept.size() == before) {
            refuse("tool_choice: there is no tool \"" + name + "\" in tools");
        }
    }
    body["tools"] = kept;
}

// Upstream reads the words only: a choice by name is the only tool there is, and a call of it is required.
static void tool_choice_mend(json & body) {
    if (!has(body, "tool_choice")) {
        return;
    }
    json choice = body.at("tool_choice");
    if (choice.is_object()) {
        const std::string type = text_of(choice, "type");
        if (type == "allowed_tools") {
            json                     allowed = has(choice, "allowed_tools") ? choice.at("allowed_tools") : choice;
            std::vector<std::string> names;
            for (const json & tool : list_in(allowed, "tools")) {
                names.push_back(tool_name(tool));
            }
            tools_keep(body, names);
            choice = has(allowed, "mode") ? allowed.at("mode") : json("auto");
        } else if (type == "auto" || type == "none") {
            choice = type;
        } else if (type == "any" || type == "required") {
            choice = "required";
        } else {
            tools_keep(body, { tool_name(choice) });
            if (!has(body, "parallel_tool_calls")) {
                body["parallel_tool_calls"] = false;
            }
            choice = "required";
        }
        body["tool_choice"] = choice;
    }
    if (choice == "required" && (!has(body, "tools") || body.at("tools").empty())) {
        refuse("tool_choice: a call is required, and there are no tools");
    }
}

// Templates read arguments as JSON; clients send "" for a call without any.
static void arguments_mend(json & body) {
    if (!has(body, "messages") || !body.at("messages").is_array()) {
        return;
    }
    for (json & message : body["messages"]) {
        for (json & call : list_in(message, "tool_calls")) {
            if (!has(call, "function")) {
                continue;
            }
            json & function = call["function"];
            if (!has(function, "arguments") || (function.at("arguments").is_string() && text_of(function, "arguments").find_first_not_of(" \t\r\n") == std::string::npos)) {
                function["arguments"] = "{}";
            }
        }
    }
}

static void patterns_mend(json & body) {
    for (const char * key : { "response_format", "json_schema", "tools" }) {
        if (has(body, key)) {
            schema_patterns_mend(body[key]);
        }
    }
}

static void length_check(const json & body) {
    for (const char * key : { "max_tokens", "max_completion_tokens" }) {
        if (has(body, key) && body.at(key) == 0) {
            refuse(std::string(key) + " must be at least 1");
        }
    }
}

json chat_request_parse(const llama_vocab * vocab, json & body, const server_chat_params & opt, std::vector<raw_buffer> & files, common_chat_session & session) {
    try {
        if (!body.is_object()) {
            refuse("the body must be a JSON object");
        }
        format_mend(body);
        tool_choice_mend(body);
        arguments_mend(body);
        patterns_mend(body);
        length_check(body);
        call_grammar_set_once(has(body, "parallel_tool_calls") && body.at("parallel_tool_calls") == false);
        json params = oaicompat_chat_params_parse(vocab, body, opt, files, session);
        if (text_of(body, "tool_choice") == "required" && session.grammar().empty()) {
            refuse("tool_choice: the chat template of this model has no tools, so a call cannot be required");
        }
        return params;
    } catch (const std::exception & error) {
        refuse(error.what()); // the request is what it is about, and not a fault of the server
    }
    return {};
}

json anthropic_request_convert(const json & body) {
    if (!has(body, "messages") || !body.at("messages").is_array() || body.at("messages").empty()) {
        refuse("messages: a list with at least one message is required");
    }
    try {
        json converted = server_chat_convert_anthropic_to_oai(body);
        if (has(body, "tool_choice")) {
            const json &      choice = body.at("tool_choice");
            const std::string type   = text_of(choice, "type");
            if (type == "tool") {
                converted["tool_choice"] = json{ { "type", "function" }, { "name", text_of(choice, "name") } };
            } else if (type == "none") {
                converted["tool_choice"] = type;
            }
            if (has(choice, "disable_parallel_tool_use") && choice.at("disable_parallel_tool_use") == true) {
                converted["parallel_tool_calls"] = false;
            }
        }
        return converted;
    } catch (const std::exception & error) {
        refuse(error.what());
    }
    return {};
}
