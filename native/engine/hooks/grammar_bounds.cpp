#include "grammar_bounds.h"

#include "llama-grammar.h"
#include "llama-impl.h"
#include "thread_time.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <vector>

static constexpr size_t   SIZE_MAX_BYTES = 2 * 1024 * 1024;
static constexpr size_t   NESTING_MAX    = 250;     // upstream's parser calls itself
static constexpr uint64_t ELEMENTS_MAX   = 2000000; // that repetitions write out
static constexpr uint64_t REPEATED_MAX   = 2000;    // upstream's own bound
static constexpr uint64_t WAYS_MAX       = 20000;   // into one rule
static constexpr uint64_t WORK_MAX       = 100000000;
static constexpr size_t   DEPTH_MAX      = 1000;    // of rules that begin with one another
static constexpr double   TOKEN_S        = 3;

// libc++ reads and frees a regular expression by recursion.
static constexpr size_t PATTERN_MAX_BYTES  = 16 * 1024;
static constexpr size_t PATTERNS_MAX_BYTES = 512 * 1024;
static constexpr size_t GROUPS_MAX         = 100;

//
// The text
//

struct repetition {
    uint64_t most     = 0;
    bool     is_order = true; // upstream counts from m up to n, around the end of all numbers if n is less
};

// Reads the `{m,n}` at `pos`.
static repetition repetition_read(const char * pos) {
    repetition read;
    for (; *pos && *pos != '}'; pos++) {
        if (*pos == '#') {
            pos += strcspn(pos, "\n") - 1;
        } else if (std::isdigit((unsigned char) *pos)) {
            char *         end;
            const uint64_t number = std::strtoull(pos, &end, 10);
            read.is_order = number >= read.most;
            read.most     = std::max(read.most, number);
            pos           = end - 1;
        }
    }
    read.most = std::min(read.most, REPEATED_MAX);
    return read;
}

// Moves behind a literal or a character class; returns its length.
static uint64_t skip_quoted(const char * & pos, char end) {
    const char * begin = pos++;
    while (*pos && *pos != end) {
        pos += *pos == '\\' && pos[1] ? 2 : 1;
    }
    return (uint64_t) (pos - begin);
}

static const char * text_refusal(const char * text) {
    if (strlen(text) > SIZE_MAX_BYTES) {
        return "it is too large";
    }
    size_t   depth    = 0;
    uint64_t item     = 1; // elements of what a repetition repeats
    uint64_t elements = 0;
    for (const char * pos = text; *pos; pos++) {
        switch (*pos) {
            case '"': item = skip_quoted(pos, '"'); break;
            case '[': item = skip_quoted(pos, ']'); break;
            case '(': depth++; break;
            case ')': depth -= depth > 0; item = 1; break;
            case '{': {
                const repetition read = repetition_read(pos);
                if (!read.is_order) {
                    return "a repetition ends before it begins";
                }
                elements += (item + 4) * read.most;
                break;
            }
            case '#': pos += strcspn(pos, "\n"); break;
            default:  item = std::isalnum((unsigned char) *pos) || *pos == '.' ? 1 : item; break;
        }
        if (depth > NESTING_MAX) {
            return "it is nested too deeply";
        }
        if (elements > ELEMENTS_MAX) {
            return "it repeats too much";
        }
        if (!*pos) {
            break;
        }
    }
    return nullptr;
}

//
// The rules
//

static bool ends_sequence(const llama_grammar_element & element) {
    return element.type == LLAMA_GRETYPE_END || element.type == LLAMA_GRETYPE_ALT;
}

static bool may_be_empty(const llama_grammar_rule & rule) {
    for (size_t i = 0; i < rule.size(); i++) {
        if (ends_sequence(rule[i]) && (i == 0 || ends_sequence(rule[i - 1]))) {
            return true;
        }
    }
    return false;
}

// The rules that this one may begin with.
static std::vector<uint32_t> beginnings(const llama_grammar_rules & rules, const std::vector<char> & empty, size_t id) {
    std::vector<uint32_t> found;
    bool                  at_begin = true;
    for (const llama_grammar_element & element : rules[id]) {
        if (element.type == LLAMA_GRETYPE_RULE_REF && at_begin) {
            found.push_back(element.value);
            at_begin = empty[element.value];
        } else {
            at_begin = ends_sequence(element);
        }
    }
    return found;
}

struct rule_cost {
    char     state = 0; // 1: being counted, 2: known
    uint64_t ways  = 1;
    uint64_t work  = 1;
    size_t   depth = 1;
};

// Upstream follows each way from each rule, by recursion, to look for rules that begin with themselves.
static const char * rules_refusal(const llama_grammar_rules & rules) {
    std::vector<char> empty;
    for (const llama_grammar_rule & rule : rules) {
        empty.push_back(may_be_empty(rule));
    }
    struct step {
        uint32_t              id;
        std::vector<uint32_t> next;
        size_t                done;
    };
    std::vector<rule_cost> costs(rules.size());
    uint64_t               work = 0;
    for (uint32_t first = 0; first < rules.size(); first++) {
        if (costs[first].state != 0) {
            continue;
        }
        std::vector<step> steps;
        const auto enter = [&](uint32_t id) {
            costs[id].state = 1;
            costs[id].work  = rules[id].size();
            steps.push_back({ id, beginnings(rules, empty, id), 0 });
        };
        enter(first);
        while (!steps.empty()) {
            step & now = steps.back();
            if (now.done < now.next.size()) {
                const uint32_t id = now.next[now.done];
                if (costs[id].state == 1) {
                    return "a rule begins with itself";
                }
                if (costs[id].state == 0) {
                    enter(id);
                    continue;
                }
                rule_cost & cost = costs[now.id];
                cost.ways  += costs[id].ways;
                cost.work  += costs[id].work;
                cost.depth  = std::max(cost.depth, costs[id].depth + 1);
                if (cost.ways > WAYS_MAX || cost.work > WORK_MAX || cost.depth > DEPTH_MAX) {
                    return "it branches too much";
                }
                now.done++;
                continue;
            }
            costs[now.id].state = 2;
            work += costs[now.id].work;
            if (work > WORK_MAX) {
                return "it branches too much";
            }
            steps.pop_back();
        }
    }
    return nullptr;
}

static const char * grammar_refusal(const llama_vocab * vocab, const char * text) {
    if (const char * why = text_refusal(text)) {
        return why;
    }
    llama_grammar_parser parser(vocab);
    return parser.parse(text) ? rules_refusal(parser.rules) : nullptr; // upstream says what is wrong with it
}

static const char * patterns_refusal(const char ** patterns, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t size   = strlen(patterns[i]);
        const size_t groups = (size_t) std::count(patterns[i], patterns[i] + size, '(');
        bytes += size;
        // More groups may be beside one another, as the names of tools are.
        size_t depth = 0, deepest = 0;
        for (size_t at = 0; at < size && groups > GROUPS_MAX; at++) {
            at += patterns[i][at] == '\\';
            depth += patterns[i][at] == '(';
            depth -= patterns[i][at] == ')' && depth > 0;
            deepest = std::max(deepest, depth);
        }
        if (size > PATTERN_MAX_BYTES || bytes > PATTERNS_MAX_BYTES || deepest > GROUPS_MAX) {
            return "a trigger is too large";
        }
    }
    return nullptr;
}

// In place of upstream's where its sampler is made.
llama_grammar * llama_grammar_init_bounded(const llama_vocab * vocab, const char * text, const char * root, bool lazy, const char ** trigger_patterns,
                                           size_t num_trigger_patterns, const llama_token * trigger_tokens, size_t num_trigger_tokens) {
    const char * why = patterns_refusal(trigger_patterns, num_trigger_patterns);
    if (why || (why = grammar_refusal(vocab, text))) {
        LLAMA_LOG_ERROR("the grammar is refused: %s\n", why);
        return nullptr;
    }
    return llama_grammar_init_impl(vocab, text, root, lazy, trigger_patterns, num_trigger_patterns, trigger_tokens, num_trigger_tokens);
}

//
// The tokens
//

static thread_local uint32_t steps_done = 0;
static thread_local double   begun      = 0;

void grammar_work_begin() {
    steps_done = 0;
    begun      = thread_time();
}

void grammar_work() {
    if (++steps_done % 4096 == 0 && thread_time() - begun > TOKEN_S) {
        throw std::runtime_error("the grammar takes too long");
    }
}
