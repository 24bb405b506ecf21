// One line of input, edited in place: UTF-8, history, the usual keys, pasted text as one piece.
#pragma once

#include <functional>
#include <string>
#include <vector>

enum line_result {
    LINE_RESULT_OK,
    LINE_RESULT_END,       // Ctrl-D on an empty line, or the end of the input
    LINE_RESULT_INTERRUPT, // Ctrl-C; the line holds what had been typed
};

struct line_editor {
    bool edit  = false; // false: take the lines as they come
    bool color = false;

    std::vector<std::string> history;

    // Completes the text before the cursor (Tab); returns it unchanged if there is nothing to add.
    std::function<std::string(const std::string & text)> complete;
};

// Reads one line without its end. A line may hold newlines: pasted ones, and those of Alt-Enter.
line_result line_editor_read(line_editor & editor, const std::string & prompt, std::string & line);

// Remembers a line for the arrow keys, unless it repeats the one before.
void line_editor_remember(line_editor & editor, const std::string & line);
