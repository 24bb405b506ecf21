#include "chat_commands.h"

#include "utf8.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <iterator>

struct chat_command {
    const char * name;
    const char * argument; // its name in the help, or nothing
    const char * help;
    void      (* run)(chat_session & session, const std::string & argument); // none: leaves the chat
};

static void chat_command_fail(chat_session & session, const std::string & message) {
    session.failed = true;
    chat_view_error(session.view, message);
}

static std::string counted(size_t n, const std::string & noun) {
    return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

// The first words of a text, on one line.
static std::string beginning(std::string text) {
    size_t end = 0;
    for (int columns = 0; end < text.size() && columns < 60; columns++) {
        end += utf8_length(text, end);
    }
    std::string result = text.substr(0, end) + (end < text.size() ? " ..." : "");
    std::replace(result.begin(), result.end(), '\n', ' ');
    return result;
}

//
// The conversation
//

static void run_clear(chat_session & session, const std::string &) {
    session.history.messages.clear();
    session.upload = {};
    chat_view_note(session.view, "The conversation is forgotten.");
}

static void run_undo(chat_session & session, const std::string &) {
    if (!chat_history_undo(session.history)) {
        return chat_command_fail(session, "there is nothing to undo");
    }
    chat_view_note(session.view, "Your last message and its answer are forgotten.");
}

static void run_forget(chat_session & session, const std::string &) {
    if (!chat_history_forget(session.history)) {
        return chat_command_fail(session, "there is nothing to forget");
    }
    chat_view_note(session.view, "The oldest message and its answer are forgotten; " + counted(session.history.messages.size(), "message") + " left.");
}

static void run_regen(chat_session & session, const std::string &) {
    chat_history & history = session.history;
    if (history.messages.empty()) {
        return chat_command_fail(session, "there is no answer to write again");
    }
    const std::vector<common_json> before = history.messages;
    chat_history_undo(history);
    history.messages.push_back(before[history.messages.size()]); // the question stays
    if (!chat_session_answer(session)) {
        history.messages = before;
    }
}

static void run_system(chat_session & session, const std::string & argument) {
    if (argument.empty()) {
        return chat_view_say(session.view, session.history.system.empty() ? "There is no system prompt." : session.history.system);
    }
    session.history.system = argument;
    chat_view_note(session.view, "The system prompt is set.");
}

static void run_upload(chat_session & session, const std::string & argument) {
    if (argument.empty()) {
        return chat_command_fail(session, "which file? `/upload FILE`");
    }
    std::string       kind;
    const std::string failure = chat_upload_add(session.upload, argument, session.props, kind);
    if (!failure.empty()) {
        return chat_command_fail(session, failure);
    }
    chat_view_note(session.view, "The " + kind + " goes with your next message.");
}

static void run_dump(chat_session & session, const std::string & argument) {
    if (argument.empty()) {
        return chat_command_fail(session, "into which file? `/dump FILE`");
    }
    const std::string failure = chat_history_dump(session.history, argument);
    if (!failure.empty()) {
        return chat_command_fail(session, failure);
    }
    chat_view_note(session.view, "The conversation is in `" + argument + "`.");
}

static void run_model(chat_session & session, const std::string & argument) {
    std::vector<std::string> names;
    if (const chat_error error = chat_client_list_models(session.client, names)) {
        return chat_command_fail(session, error.message);
    }
    if (argument.empty()) {
        for (const std::string & name : names) {
            chat_view_say(session.view, (name == session.client.model ? "* " : "  ") + name);
        }
        return;
    }
    if (std::find(names.begin(), names.end(), argument) == names.end()) {
        return chat_command_fail(session, "there is no model `" + argument + "`; `/model` lists them");
    }
    chat_client other = session.client;
    other.model       = argument;
    chat_view_note(session.view, "Loading " + argument + ".");
    chat_props props;
    if (const chat_error error = chat_client_connect(other, 0, props)) {
        return chat_command_fail(session, error.message);
    }
    session.client = other;
    session.props  = props;
    chat_view_note(session.view, "From now on " + argument + " answers.");
}

//
// The stack
//

static void run_push(chat_session & session, const std::string &) {
    chat_history_push(session.history);
    chat_view_note(session.view, "The conversation is saved (" + std::to_string(session.history.stack.size()) + " on the stack); `/pop` comes back to it.");
}

static void run_pop(chat_session & session, const std::string &) {
    if (!chat_history_pop(session.history)) {
        return chat_command_fail(session, "the stack is empty; `/push` saves the conversation on it");
    }
    chat_view_note(session.view, "Back to " + counted(session.history.messages.size(), "message") + ".");
}

static void run_stack(chat_session & session, const std::string &) {
    const auto & stack = session.history.stack;
    if (stack.empty()) {
        return chat_view_say(session.view, "The stack is empty.");
    }
    for (size_t i = stack.size(); i-- > 0;) {
        const auto &      messages = stack[i].second;
        const std::string last     = messages.empty() ? "" : ", from \"" + beginning(chat_message_text(messages.front())) + "\"";
        chat_view_say(session.view, std::to_string(i + 1) + ": " + counted(messages.size(), "message") + last);
    }
}

//
// Figures
//

static void run_context(chat_session & session, const std::string &) {
    int64_t    used  = 0;
    chat_error error;
    if (!session.history.messages.empty()) {
        error = chat_client_count_tokens(session.client, chat_history_to_json(session.history), used);
    }
    if (error && session.last.total() == 0) {
        return chat_command_fail(session, error.message);
    }
    std::string text = std::to_string(error ? session.last.total() : used);
    if (session.props.n_ctx > 0) {
        text += " of " + std::to_string(session.props.n_ctx);
    }
    text += error ? " tokens used by the last answer" : " tokens used";
    if (session.props.n_ctx > 0) {
        char share[32];
        snprintf(share, sizeof(share), " (%.0f%%)", 100.0 * (double) (error ? session.last.total() : used) / (double) session.props.n_ctx);
        text += share;
    }
    chat_view_say(session.view, text);
}

static std::string timings_row(const char * name, const chat_timings & timings) {
    const auto speed = [](int64_t n, double ms) { return ms > 0 ? 1000.0 * (double) n / ms : 0.0; };
    char       text[256];
    snprintf(text, sizeof(text), "%-12s prompt %lld tokens, %.1f per second (%lld more were cached); answer %lld tokens, %.1f per second",
             name, (long long) timings.prompt_n, speed(timings.prompt_n, timings.prompt_ms), (long long) timings.cached_n,
             (long long) timings.predicted_n, speed(timings.predicted_n, timings.predicted_ms));
    return text;
}

static void run_stats(chat_session & session, const std::string &) {
    if (session.last.total() == 0) {
        return chat_view_say(session.view, "There was no answer yet.");
    }
    chat_view_say(session.view, timings_row("last answer", session.last));
    chat_view_say(session.view, timings_row("all answers", session.all));
}

//
// Input
//

static void run_multi(chat_session & session, const std::string &) {
    session.multiline = !session.multiline;
    chat_view_note(session.view, session.multiline ? "Multi-line input: an empty line sends the message." : "Each line is a message again.");
}

static void run_help(chat_session & session, const std::string & argument);

static const chat_command COMMANDS[] = {
    {"/help",    "",       "this list",                                                run_help   },
    {"/clear",   "",       "forget the conversation, keep the system prompt",          run_clear  },
    {"/undo",    "",       "forget your last message and its answer",                  run_undo   },
    {"/forget",  "",       "forget the oldest message and its answer, to make room",   run_forget },
    {"/regen",   "",       "write the last answer again",                              run_regen  },
    {"/context", "",       "how much of the context is used",                          run_context},
    {"/stats",   "",       "speed of the last answer, and of all",                     run_stats  },
    {"/system",  "[TEXT]", "show the system prompt, or set it",                        run_system },
    {"/model",   "[NAME]", "list the models, or let another one answer",               run_model  },
    {"/upload",  "FILE",   "add a text, image or sound to the next message",           run_upload },
    {"/push",    "",       "save the conversation on a stack",                         run_push   },
    {"/pop",     "",       "go back to the one saved last",                            run_pop    },
    {"/stack",   "",       "what the stack holds",                                     run_stack  },
    {"/dump",    "FILE",   "write the conversation to a new file (JSON if it ends in .json)", run_dump},
    {"/multi",   "",       "multi-line input on or off",                               run_multi  },
    {"/exit",    "",       "leave (also /bye, /quit, Ctrl-D)",                         nullptr    },
    {"/bye",     "",       nullptr,                                                    nullptr    },
    {"/quit",    "",       nullptr,                                                    nullptr    },
};

static void run_help(chat_session & session, const std::string &) {
    std::string text;
    for (const chat_command & command : COMMANDS) {
        if (command.help) {
            char line[128];
            const std::string usage = std::string(command.name) + " " + command.argument;
            snprintf(line, sizeof(line), "  %-16s %s\n", usage.c_str(), command.help);
            text += line;
        }
    }
    text +=
        "\n"
        "A line that ends in \\ goes on in the next one; a block between two lines \"\"\" is one\n"
        "message, as is pasted text. Alt-Enter begins a new line. Ctrl-C stops an answer.\n"
        "A message that begins with a command's name can be sent with a blank before it.";
    chat_view_say(session.view, text);
}

chat_command_result chat_command_run(chat_session & session, const std::string & line) {
    const auto        is_letter = [](unsigned char c) { return isalpha(c) || c == '_' || c == '-'; };
    const auto        name_end  = line.empty() ? line.end() : std::find_if_not(line.begin() + 1, line.end(), is_letter);
    const std::string name(line.begin(), name_end);
    if (line.empty() || line[0] != '/' || (name_end != line.end() && !isspace((unsigned char) *name_end)) || line.find('\n') != std::string::npos) {
        return CHAT_COMMAND_NONE; // "/usr/bin" is none either
    }
    std::string argument(name_end, line.end());
    argument.erase(0, std::min(argument.find_first_not_of(" \t"), argument.size()));
    argument.erase(argument.find_last_not_of(" \t") + 1);

    const auto command = std::find_if(std::begin(COMMANDS), std::end(COMMANDS), [&](const chat_command & c) { return name == c.name; });
    if (command == std::end(COMMANDS)) {
        chat_command_fail(session, "there is no command `" + name + "`; `/help` lists them");
        return CHAT_COMMAND_DONE;
    }
    if (!command->run) {
        return CHAT_COMMAND_EXIT;
    }
    command->run(session, argument);
    return CHAT_COMMAND_DONE;
}

std::string chat_command_complete(const std::string & text) {
    std::string result;
    for (const chat_command & command : COMMANDS) {
        const std::string name = std::string(command.name) + (*command.argument ? " " : "");
        if (text.empty() || text[0] != '/' || name.compare(0, text.size(), text) != 0) {
            continue;
        }
        if (result.empty()) {
            result = name;
        }
        result.erase((size_t) (std::mismatch(result.begin(), result.end(), name.begin(), name.end()).first - result.begin()));
    }
    return result.size() > text.size() ? result : text;
}
