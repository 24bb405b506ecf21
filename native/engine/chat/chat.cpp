#include "chat.h"

#include "chat_commands.h"
#include "chat_session.h"
#include "terminal.h"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

static constexpr int EXIT_INTERRUPTED = 130;
static constexpr int CONNECT_S        = 5;

static const std::string PROMPT      = ">>> ";
static const std::string PROMPT_MORE = "... ";
static const std::string BLOCK_MARK  = "\"\"\"";

void chat_interrupt() {
    terminal_interrupt();
}

void chat_restore_terminal() {
    terminal_reset();
}

//
// Answers
//

static void chat_timings_add(chat_timings & all, const chat_timings & one) {
    all.prompt_n     += one.prompt_n;
    all.cached_n     += one.cached_n;
    all.predicted_n  += one.predicted_n;
    all.prompt_ms    += one.prompt_ms;
    all.predicted_ms += one.predicted_ms;
}

// What the user should know about how the answer ended.
static void chat_session_remark(const chat_session & session, const chat_answer & answer) {
    if (answer.stopped) {
        chat_view_note(session.view, "[stopped]");
    } else if (answer.finish_reason == "length" && session.props.n_ctx > 0 && answer.timings.total() >= session.props.n_ctx - 1) {
        chat_view_note(session.view, "[the context is full: `/forget` drops the oldest message, `/clear` all of them]");
    } else if (answer.finish_reason == "length") {
        chat_view_note(session.view, "[cut at the limit of tokens: -n]");
    }
}

bool chat_session_answer(chat_session & session) {
    chat_view & view = session.view;
    chat_events events;
    events.on_reasoning = [&](const std::string & text) { chat_view_answer_reasoning(view, text); };
    events.on_content   = [&](const std::string & text) { chat_view_answer_content(view, text);   };
    events.on_progress  = [&](double fraction)          { chat_view_answer_progress(view, fraction); };

    chat_view_answer_begin(view);
    const chat_answer answer = chat_client_complete(session.client, chat_history_to_json(session.history), events);
    chat_view_answer_end(view);

    if (answer.timings.total() > 0) {
        session.last = answer.timings;
        chat_timings_add(session.all, answer.timings);
    }
    if (answer.error) {
        session.failed = true;
        chat_view_error(view, answer.error.message);
        if (answer.error.context_full) {
            chat_view_error(view, "the conversation does not fit into the context any more: `/forget` drops its oldest message, `/clear` all of it; then send yours again");
        }
    }
    chat_session_remark(session, answer);
    const bool any = !answer.content.empty() || !answer.reasoning.empty();
    if (any) {
        chat_history_add_assistant(session.history, answer.content, answer.reasoning);
    }
    return any || (!answer.error && !answer.stopped);
}

// Sends a message. Without any answer the conversation stays as it was, and uploads wait for the
// next message.
static bool chat_session_send(chat_session & session, const std::string & message) {
    chat_history_add_user(session.history, session.upload.text + message, session.upload.media);
    if (!chat_session_answer(session)) {
        chat_history_undo(session.history);
        return false;
    }
    session.upload = {};
    return true;
}

//
// Input
//

static bool ends_with(const std::string & text, const std::string & end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Reads on after a line """: up to the line that ends in """.
static line_result chat_session_read_block(chat_session & session, std::string & message) {
    message.erase(0, BLOCK_MARK.size());
    std::string line;
    while (!ends_with(message, BLOCK_MARK)) {
        const line_result result = line_editor_read(session.editor, PROMPT_MORE, line);
        if (result == LINE_RESULT_END) {
            return message.empty() ? result : LINE_RESULT_OK;
        }
        if (result != LINE_RESULT_OK) {
            return result;
        }
        message += message.empty() ? line : "\n" + line;
    }
    message.erase(message.size() - BLOCK_MARK.size());
    if (!message.empty() && message.back() == '\n') {
        message.pop_back();
    }
    return LINE_RESULT_OK;
}

// Reads a message: one line, or several as the user asks for. `literal`: it is no command.
static line_result chat_session_read(chat_session & session, std::string & message, bool & literal) {
    literal = false;
    line_result result = line_editor_read(session.editor, PROMPT, message);
    if (result == LINE_RESULT_OK && message.compare(0, BLOCK_MARK.size(), BLOCK_MARK) == 0) {
        literal = true;
        result  = chat_session_read_block(session, message);
        line_editor_remember(session.editor, message);
        return result;
    }
    const bool  multiline = session.multiline && !message.empty() && message[0] != '/';
    std::string line      = message;
    while (result == LINE_RESULT_OK && ((!line.empty() && line.back() == '\\') || (multiline && !line.empty()))) {
        if (line.back() == '\\') {
            message.pop_back();
        }
        result = line_editor_read(session.editor, PROMPT_MORE, line);
        if (result == LINE_RESULT_OK && !(multiline && line.empty())) {
            message += "\n" + line;
        }
    }
    if (result != LINE_RESULT_INTERRUPT) {
        line_editor_remember(session.editor, message);
    }
    return result == LINE_RESULT_END && !message.empty() ? LINE_RESULT_OK : result;
}

static bool is_blank(const std::string & text) {
    return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

static int chat_session_status(const chat_session & session) {
    return session.failed && !terminal_input_is_tty() ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int chat_session_loop(chat_session & session, bool single_turn) {
    bool leaving = false; // Ctrl-C was the last thing to come
    while (!ferror(stdout)) {
        std::string       message;
        bool              literal;
        const line_result result = chat_session_read(session, message, literal);
        if (result == LINE_RESULT_END) {
            return chat_session_status(session);
        }
        if (result == LINE_RESULT_INTERRUPT) {
            if (!terminal_input_is_tty() || (leaving && message.empty())) {
                return EXIT_INTERRUPTED;
            }
            leaving = message.empty();
            if (leaving) {
                chat_view_note(session.view, "Press Ctrl-C again or Ctrl-D to leave.");
            }
            continue;
        }
        leaving = false;
        if (is_blank(message)) {
            continue;
        }
        if (session.view.tty && !terminal_input_is_tty()) {
            chat_view_note(session.view, PROMPT + message);
        }
        const chat_command_result command = literal ? CHAT_COMMAND_NONE : chat_command_run(session, message);
        const bool                sent    = command == CHAT_COMMAND_NONE && chat_session_send(session, message);
        if (command == CHAT_COMMAND_EXIT) {
            return chat_session_status(session);
        }
        if (terminal_interrupted() && !terminal_input_is_tty()) {
            return EXIT_INTERRUPTED;
        }
        terminal_interrupt_clear();
        if (single_turn && command == CHAT_COMMAND_NONE) {
            return sent ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        chat_view_note(session.view, "");
    }
    return EXIT_FAILURE; // nobody reads the answers
}

//
// Start
//

static int chat_session_run(chat_session & session, const chat_options & options) {
    const chat_error error = chat_client_connect(session.client, CONNECT_S, session.props);
    if (terminal_interrupted()) {
        return EXIT_INTERRUPTED;
    }
    if (error) {
        chat_view_error(session.view, error.message);
        return EXIT_FAILURE;
    }
    for (const std::string & image : options.images) {
        std::string       kind;
        const std::string failure = chat_upload_add(session.upload, image, session.props, kind);
        if (!failure.empty()) {
            chat_view_error(session.view, failure);
            return EXIT_FAILURE;
        }
    }
    if (!options.title.empty()) {
        chat_view_note(session.view, options.title);
    }
    chat_view_note(session.view, "/help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves.\n");

    if (!options.first_message.empty()) {
        chat_view_note(session.view, PROMPT + options.first_message);
        line_editor_remember(session.editor, options.first_message);
        const bool sent = chat_session_send(session, options.first_message);
        if (terminal_interrupted() && !terminal_input_is_tty()) {
            return EXIT_INTERRUPTED;
        }
        terminal_interrupt_clear();
        if (options.single_turn) {
            return sent ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        chat_view_note(session.view, "");
    }
    return chat_session_loop(session, options.single_turn);
}

int chat_run(const chat_options & options) {
    terminal_open();

    chat_session session;
    session.client.server_base  = options.server_base;
    session.client.server_ended = options.server_ended;
    session.client.api_key      = options.api_key;
    session.client.model        = options.model;
    session.history.system      = options.system_prompt;
    session.multiline           = options.multiline;
    session.view.tty            = terminal_output_is_tty();
    session.view.edit           = terminal_can_edit() && !options.simple_io;
    session.view.color          = session.view.tty && options.color && !getenv("NO_COLOR") && !terminal_is_dumb();
    session.editor.edit         = session.view.edit;
    session.editor.color        = session.view.color;
    session.editor.complete     = chat_command_complete;

    int status = EXIT_FAILURE;
    try {
        if (session.view.edit) {
            terminal_set_mode(TERMINAL_MODE_QUIET);
        }
        status = chat_session_run(session, options);
    } catch (const std::exception & e) {
        chat_view_error(session.view, e.what());
    }
    terminal_close();
    return status;
}
