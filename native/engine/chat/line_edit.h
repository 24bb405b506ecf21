// The text of one line while it is edited, and its picture on the screen.
#pragma once

#include "line_editor.h"

#include <cstddef>
#include <string>

// Positions are bytes, always at the start of a character.
struct line_edit {
    line_editor &       editor;
    const std::string & prompt;

    std::string text;
    size_t      pos        = 0;
    size_t      cursor_row = 0;     // below the row of the prompt, as last drawn
    bool        dirty      = false; // differs from what is on the screen
    size_t      viewing;            // the entry of the history that is shown; its size: none
    std::string typed;              // what was typed before the history was opened

    line_edit(line_editor & editor, const std::string & prompt) :
        editor(editor), prompt(prompt), viewing(editor.history.size()) {}
};

// Draws the prompt and the text anew, and puts the cursor where it belongs.
void line_draw(line_edit & edit);

// Leaves the text as it stands, with `mark` after it, and goes to the row below.
void line_leave(line_edit & edit, const char * mark);

// Positions around `pos`: of characters (with what combines with them), and of words.
size_t line_prev(const line_edit & edit, size_t pos);
size_t line_next(const line_edit & edit, size_t pos);
size_t line_prev_word(const line_edit & edit, size_t pos);
size_t line_next_word(const line_edit & edit, size_t pos);

void line_move(line_edit & edit, size_t pos);
void line_erase(line_edit & edit, size_t begin, size_t end);
void line_replace(line_edit & edit, const std::string & text);
void line_insert(line_edit & edit, const std::string & piece);

// Shows the entry of the history that is `step` (-1 or +1) away from the one shown.
void line_view(line_edit & edit, int step);
