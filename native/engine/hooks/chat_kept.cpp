// In place of upstream's functions that read what a model answered: an answer that has another form than
// the chat template promises is text, and none of it is lost.

#include "call_grammar.h"

#include "chat.h"
#include "common.h"
#include "json-schema-to-grammar.h"

#include <regex>
#include <stdexcept>

const common_chat_msg & common_chat_session::feed(const common_chat_input & chunk) {
    input.append(chunk);
    try {
        const common_chat_msg read = common_chat_parse(input, true, parser_params);
        if (!read.empty()) {
            result = read;
        }
    } catch (const std::exception &) {
        // finish() decides what it is
    }
    return result;
}

const common_chat_msg & common_chat_session::finish(const common_chat_input & chunk) {
    finished = true;
    input.append(chunk);
    try {
        const common_chat_msg read = common_chat_parse(input, false, parser_params);
        if (!read.empty()) {
            result = read;
        }
    } catch (const std::exception &) {
        // What was sent already stays; what the parser did not come to follows it.
        const bool is_text = result.tool_calls.empty() && result.reasoning_content.empty();
        if (is_text && input.text.compare(0, result.content.size(), result.content) == 0) {
            result.content = input.text;
        }
    }
    return result;
}

static thread_local bool once = false;

void call_grammar_set_once(bool is_once) {
    once = is_once;
}

std::string build_grammar_with_prose(const std::function<void(const common_grammar_builder &)> & rules, const common_grammar_options & options);

// Where a call is required, upstream's grammars let any text come first, which may fill the whole answer:
// the root then has a part such as `until-220?` in front of others. And where parallel calls are off,
// some let calls follow each other.
std::string build_grammar(const std::function<void(const common_grammar_builder &)> & rules, const common_grammar_options & options) {
    std::string grammar = build_grammar_with_prose(rules, options);
    if (once) {
        string_replace_all(grammar, "(tool-call space)+", "tool-call space");
    }
    const size_t root    = grammar.find("root ::= ");
    const size_t end     = grammar.find('\n', root);
    if (root == std::string::npos || (root > 0 && grammar[root - 1] != '\n')) {
        return grammar;
    }
    static const std::regex PROSE(R"( until-[0-9]+\?(?= tool-call))");
    return grammar.replace(root, end - root, std::regex_replace(grammar.substr(root, end - root), PROSE, ""));
}
