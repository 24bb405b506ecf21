// What the user sees: answers on stdout, the rest on stdout only where a person reads it.
#pragma once

#include <chrono>
#include <string>

struct chat_view {
    bool tty   = false; // stdout is a terminal: prompts, notes and thoughts are shown
    bool color = false;
    bool edit  = false; // the terminal understands escape sequences

    // of the answer that is being written
    bool thinking  = false;
    bool at_start  = true;  // of a line
    bool progress  = false; // a percentage stands there
    std::chrono::steady_clock::time_point begin;
};

void chat_view_say(const chat_view & view, const std::string & text);   // what was asked for
void chat_view_note(const chat_view & view, const std::string & text);  // good to know for a person
void chat_view_error(const chat_view & view, const std::string & text); // on stderr, one line

void chat_view_answer_begin(chat_view & view);
void chat_view_answer_progress(chat_view & view, double fraction);
void chat_view_answer_reasoning(chat_view & view, const std::string & text);
void chat_view_answer_content(chat_view & view, const std::string & text);
void chat_view_answer_end(chat_view & view);
