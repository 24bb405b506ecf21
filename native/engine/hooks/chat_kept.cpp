// In place of upstream's functions that read what a model answered: an answer that has another form than
// the chat template promises is text, and none of it is lost.

#include "call_grammar.h"

#include "chat.h"
#include "common.h"
#include "json-schema-to-grammar.h"

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
    const size_t root  = grammar.find("\nroot ::= ");
    const size_t end   = root == std::string::npos ? root : grammar.find('\n', root + 1);
    const size_t call  = grammar.find("? tool-call", root);
    const size_t begin = call < end ? grammar.rfind(" until-", call) : std::string::npos;
    if (root < begin && begin < call && grammar.find_first_not_of("0123456789", begin + 7) == call) {
        grammar.erase(begin, call + 1 - begin);
    }
    return grammar;
}
