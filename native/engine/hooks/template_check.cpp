// In place of upstream's functions that read chat templates: these refuse what nests so deep that
// upstream's parser, which calls itself for each level, would overflow the stack.

#include "chat.h"
#include "jinja/parser.h"

#include "template_budget.h"

#include <set>
#include <string>
#include <vector>

static constexpr size_t SIZE  = 4 << 20; // bytes
static constexpr int    DEPTH = 100;     // of blocks, and of brackets
static constexpr int    CHAIN = 500;     // operators, members and filters between two commas

static const std::set<std::string> OPENING = { "if", "for", "macro", "call", "filter", "generation" };
static const std::set<std::string> WORDS   = { "not", "and", "or", "if", "else", "is", "in" };

common_chat_templates_ptr common_chat_templates_init_unbounded(const llama_model * model, const std::string & text, const std::string & bos, const std::string & eos);

namespace jinja {

program parse_from_tokens_unbounded(const lexer_result & lexed);

// Blocks of a template: `elif` nests one more into its `if`.
class block_depth {
  public:
    void see(const std::string & name, bool has_body) {
        if (has_body) {
            open.push_back(1);
            depth++;
        } else if (name == "elif" && !open.empty()) {
            open.back()++;
            depth++;
        } else if (name.rfind("end", 0) == 0 && !open.empty()) {
            depth -= open.back();
            open.pop_back();
        }
        if (depth > DEPTH) {
            template_refuse("nests its blocks too deep");
        }
    }

  private:
    std::vector<int> open;
    int              depth = 0;
};

static bool is_opening(token::type type) {
    return type == token::open_paren || type == token::open_square_bracket || type == token::open_curly_bracket;
}

static bool is_closing(token::type type) {
    return type == token::close_paren || type == token::close_square_bracket || type == token::close_curly_bracket;
}

static bool is_operator(const token & one) {
    switch (one.t) {
        case token::dot:
        case token::pipe:
        case token::colon:
        case token::call_operator:
        case token::additive_binary_operator:
        case token::multiplicative_binary_operator:
        case token::comparison_binary_operator:
        case token::unary_operator:
            return true;
        default:
            return one.t == token::identifier && WORDS.count(one.value) > 0;
    }
}

// Looks through one tag, from behind its beginning. Returns whether it assigns.
static bool tag_check(const std::vector<token> & tokens, size_t & at) {
    std::vector<int> chains = { 0 }; // per open bracket
    bool             assigns = false;
    for (; at < tokens.size() && tokens[at].t != token::close_statement && tokens[at].t != token::close_expression; at++) {
        const token & one = tokens[at];
        if (is_opening(one.t)) {
            chains.back()++;
            chains.push_back(0);
        } else if (is_closing(one.t) && chains.size() > 1) {
            chains.pop_back();
        } else if (one.t == token::comma) {
            chains.back() = 0;
        } else if (is_operator(one)) {
            chains.back()++;
        }
        assigns = assigns || (one.t == token::equals && chains.size() == 1);
        if ((int) chains.size() > DEPTH || chains.back() > CHAIN) {
            template_refuse("has an expression that nests too deep or goes on too long");
        }
    }
    return assigns;
}

program parse_from_tokens(const lexer_result & lexed) {
    template_loading_begin(); // no request brings a template
    if (lexed.source.size() > SIZE) {
        template_refuse("has more than 4 MB");
    }
    block_depth depth;
    for (size_t at = 0; at < lexed.tokens.size(); at++) {
        const bool is_statement = lexed.tokens[at].t == token::open_statement;
        if (!is_statement && lexed.tokens[at].t != token::open_expression) {
            continue;
        }
        const size_t first   = at + 1;
        const bool   assigns = tag_check(lexed.tokens, ++at);
        if (is_statement && first < lexed.tokens.size()) {
            const std::string & name = lexed.tokens[first].value;
            depth.see(name, OPENING.count(name) > 0 || (name == "set" && !assigns));
        }
    }
    return parse_from_tokens_unbounded(lexed);
}

} // namespace jinja

common_chat_templates_ptr common_chat_templates_init(const llama_model * model, const std::string & text, const std::string & bos, const std::string & eos) {
    template_set_of_model(text.empty());
    return common_chat_templates_init_unbounded(model, text, bos, eos);
}
