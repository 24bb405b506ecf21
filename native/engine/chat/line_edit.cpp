#include "line_edit.h"

#include "terminal.h"
#include "utf8.h"

#include <cctype>
#include <cstdio>

//
// Drawing
//

struct screen_place {
    size_t row;
    size_t col;
};

// Where the cursor stands after the prompt and the first `size` bytes of the text. A column equal
// to the width of the screen: the character that follows goes to the next row.
static screen_place line_place(const line_edit & edit, size_t size, size_t columns) {
    screen_place place = {0, edit.prompt.size()};
    for (size_t i = 0; i < size; i += utf8_length(edit.text, i)) {
        if (edit.text[i] == '\n') {
            place = {place.row + 1, 0};
            continue;
        }
        const size_t width = (size_t) utf8_width(utf8_decode(edit.text, i));
        if (place.col + width > columns) {
            place = {place.row + 1, 0};
        }
        place.col += width;
    }
    return place;
}

void line_draw(line_edit & edit) {
    const size_t columns = (size_t) terminal_columns();
    std::string  out;
    if (edit.cursor_row > 0) {
        out += "\x1b[" + std::to_string(edit.cursor_row) + "A";
    }
    out += "\r\x1b[J";
    out += edit.editor.color ? "\x1b[1;32m" + edit.prompt + "\x1b[0m" : edit.prompt;
    for (char c : edit.text) {
        if (c == '\n') {
            out += "\r\n";
        } else {
            out += c == '\t' ? ' ' : c;
        }
    }
    screen_place end    = line_place(edit, edit.text.size(), columns);
    screen_place cursor = line_place(edit, edit.pos, columns);
    if (end.col == columns) {
        out += "\r\n";
        end = {end.row + 1, 0};
    }
    if (cursor.col == columns) {
        cursor = edit.text[edit.pos] == '\n' ? screen_place{cursor.row, columns - 1} : screen_place{cursor.row + 1, 0};
    }
    if (end.row > cursor.row) {
        out += "\x1b[" + std::to_string(end.row - cursor.row) + "A";
    }
    out += "\r";
    if (cursor.col > 0) {
        out += "\x1b[" + std::to_string(cursor.col) + "C";
    }
    fputs(out.c_str(), stdout);
    fflush(stdout);
    edit.cursor_row = cursor.row;
    edit.dirty      = false;
}

void line_leave(line_edit & edit, const char * mark) {
    if (edit.dirty || edit.pos != edit.text.size()) {
        edit.pos = edit.text.size();
        line_draw(edit);
    }
    printf("%s\r\n\x1b[?2004l", mark);
    fflush(stdout);
}

//
// Changes
//

size_t line_prev(const line_edit & edit, size_t pos) {
    do {
        while (pos > 0 && ((unsigned char) edit.text[--pos] & 0xC0) == 0x80) {
        }
    } while (pos > 0 && utf8_width(utf8_decode(edit.text, pos)) == 0);
    return pos;
}

size_t line_next(const line_edit & edit, size_t pos) {
    if (pos < edit.text.size()) {
        pos += utf8_length(edit.text, pos);
    }
    while (pos < edit.text.size() && utf8_width(utf8_decode(edit.text, pos)) == 0) {
        pos += utf8_length(edit.text, pos);
    }
    return pos;
}

size_t line_prev_word(const line_edit & edit, size_t pos) {
    while (pos > 0 && isspace((unsigned char) edit.text[pos - 1])) {
        pos--;
    }
    while (pos > 0 && !isspace((unsigned char) edit.text[pos - 1])) {
        pos--;
    }
    return pos;
}

size_t line_next_word(const line_edit & edit, size_t pos) {
    while (pos < edit.text.size() && isspace((unsigned char) edit.text[pos])) {
        pos++;
    }
    while (pos < edit.text.size() && !isspace((unsigned char) edit.text[pos])) {
        pos++;
    }
    return pos;
}

void line_move(line_edit & edit, size_t pos) {
    edit.dirty = edit.dirty || pos != edit.pos;
    edit.pos   = pos;
}

void line_erase(line_edit & edit, size_t begin, size_t end) {
    edit.text.erase(begin, end - begin);
    edit.pos   = begin;
    edit.dirty = true;
}

void line_replace(line_edit & edit, const std::string & text) {
    edit.text  = text;
    edit.pos   = text.size();
    edit.dirty = true;
}

void line_insert(line_edit & edit, const std::string & piece) {
    const size_t columns = (size_t) terminal_columns();
    const bool   at_end  = edit.pos == edit.text.size() && !edit.dirty;
    const size_t row     = edit.cursor_row;
    edit.text.insert(edit.pos, piece);
    edit.pos += piece.size();
    const screen_place end = line_place(edit, edit.pos, columns);
    if (at_end && end.row == row && end.col < columns && piece.find_first_of("\n\t") == std::string::npos) {
        fputs(piece.c_str(), stdout); // the usual case needs no redrawing
        fflush(stdout);
    } else {
        edit.dirty = true;
    }
}

void line_view(line_edit & edit, int step) {
    const size_t size = edit.editor.history.size();
    if ((step < 0 && edit.viewing == 0) || (step > 0 && edit.viewing == size)) {
        return;
    }
    if (edit.viewing == size) {
        edit.typed = edit.text;
    }
    edit.viewing += (size_t) step;
    line_replace(edit, edit.viewing == size ? edit.typed : edit.editor.history[edit.viewing]);
}
