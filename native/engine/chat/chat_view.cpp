#include "chat_view.h"

#include "utf8.h"

#include <cstdio>

static const char * const STYLE_RESET = "\x1b[0m";
static const char * const STYLE_DIM   = "\x1b[2m";
static const char * const STYLE_ERROR = "\x1b[1;31m";

static void chat_view_write(const std::string & text) {
    fwrite(text.data(), 1, text.size(), stdout);
    fflush(stdout);
}

void chat_view_say(const chat_view & view, const std::string & text) {
    chat_view_write((view.tty ? utf8_printable(text) : text) + "\n");
}

void chat_view_note(const chat_view & view, const std::string & text) {
    if (view.tty) {
        const bool styled = view.color && !text.empty();
        chat_view_write((styled ? STYLE_DIM : "") + utf8_printable(text) + (styled ? STYLE_RESET : "") + "\n");
    }
}

void chat_view_error(const chat_view & view, const std::string & text) {
    const std::string line = view.color ? std::string(STYLE_ERROR) + "error:" + STYLE_RESET : "error:";
    fflush(stdout);
    fprintf(stderr, "%s %s\n", line.c_str(), utf8_printable(text).c_str());
    fflush(stderr);
}

//
// An answer
//

static void chat_view_text(chat_view & view, const std::string & text) {
    if (!text.empty()) {
        view.at_start = text.back() == '\n';
        chat_view_write(view.tty ? utf8_printable(text) : text);
    }
}

static void chat_view_progress_clear(chat_view & view) {
    if (view.progress) {
        chat_view_write("\r\x1b[K");
        view.progress = false;
    }
}

void chat_view_answer_begin(chat_view & view) {
    view.thinking = false;
    view.at_start = true;
    view.progress = false;
    view.begin    = std::chrono::steady_clock::now();
}

void chat_view_answer_progress(chat_view & view, double fraction) {
    const auto waited = std::chrono::steady_clock::now() - view.begin;
    if (!view.edit || !view.at_start || fraction >= 1.0 || waited < std::chrono::seconds(1)) {
        return;
    }
    char text[64];
    snprintf(text, sizeof(text), "\r\x1b[K[reading the prompt: %d%%]", (int) (fraction * 100));
    chat_view_write(text);
    view.progress = true;
}

void chat_view_answer_reasoning(chat_view & view, const std::string & text) {
    if (!view.tty) {
        return;
    }
    chat_view_progress_clear(view);
    if (!view.thinking) {
        view.thinking = true;
        chat_view_write(view.color ? STYLE_DIM : "[thinking]\n");
    }
    chat_view_text(view, text);
}

static void chat_view_reasoning_end(chat_view & view) {
    if (view.thinking) {
        view.thinking = false;
        chat_view_write(view.color ? STYLE_RESET : "");
        chat_view_write(view.at_start ? "" : "\n");
        chat_view_write(view.color ? "\n" : "[/thinking]\n\n");
        view.at_start = true;
    }
}

void chat_view_answer_content(chat_view & view, const std::string & text) {
    chat_view_progress_clear(view);
    chat_view_reasoning_end(view);
    chat_view_text(view, text);
}

void chat_view_answer_end(chat_view & view) {
    chat_view_progress_clear(view);
    chat_view_reasoning_end(view);
    if (!view.at_start) {
        chat_view_write("\n");
        view.at_start = true;
    }
}
