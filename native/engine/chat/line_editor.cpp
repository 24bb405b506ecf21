#include "line_editor.h"

#include "line_edit.h"
#include "terminal.h"
#include "utf8.h"

#include <cstdio>

// Pasted text up to the mark of its end: one piece, control characters left out.
static void line_paste(line_edit & edit) {
    static const std::string end_mark = "\x1b[201~";
    std::string              piece;
    while (piece.size() < end_mark.size() || piece.compare(piece.size() - end_mark.size(), end_mark.size(), end_mark) != 0) {
        const int byte = terminal_read();
        if (byte < 0) {
            return;
        }
        piece += (char) byte;
    }
    piece.erase(piece.size() - end_mark.size());
    for (size_t i = 0; (i = piece.find('\r', i)) != std::string::npos;) {
        if (i + 1 < piece.size() && piece[i + 1] == '\n') {
            piece.erase(i, 1);
        } else {
            piece[i] = '\n';
        }
    }
    line_insert(edit, utf8_printable(piece));
}

static void line_escape(line_edit & edit) {
    if (!terminal_pending(50)) {
        return; // the Escape key alone
    }
    const int byte = terminal_read();
    if (byte == '\r' || byte == '\n') {
        line_insert(edit, "\n");
    } else if (byte == 'b') {
        line_move(edit, line_prev_word(edit, edit.pos));
    } else if (byte == 'f') {
        line_move(edit, line_next_word(edit, edit.pos));
    }
    if (byte != '[' && byte != 'O') {
        return;
    }
    std::string sequence;
    int         last;
    do {
        last = terminal_read();
        if (last < 0) {
            return;
        }
        sequence += (char) last;
    } while (last < 0x40 || last > 0x7E);

    if      (sequence == "A")                                          { line_view(edit, -1); }
    else if (sequence == "B")                                          { line_view(edit, +1); }
    else if (sequence == "C")                                          { line_move(edit, line_next(edit, edit.pos)); }
    else if (sequence == "D")                                          { line_move(edit, line_prev(edit, edit.pos)); }
    else if (sequence == "1;5C" || sequence == "1;3C")                 { line_move(edit, line_next_word(edit, edit.pos)); }
    else if (sequence == "1;5D" || sequence == "1;3D")                 { line_move(edit, line_prev_word(edit, edit.pos)); }
    else if (sequence == "H" || sequence == "1~" || sequence == "7~")  { line_move(edit, 0); }
    else if (sequence == "F" || sequence == "4~" || sequence == "8~")  { line_move(edit, edit.text.size()); }
    else if (sequence == "3~")                                         { line_erase(edit, edit.pos, line_next(edit, edit.pos)); }
    else if (sequence == "200~")                                       { line_paste(edit); }
}

static std::string read_character(int lead) {
    std::string piece(1, (char) lead);
    for (int expected = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0; expected > 0; expected--) {
        const int byte = terminal_read();
        if (byte < 0) {
            break;
        }
        piece += (char) byte;
    }
    return piece;
}

static constexpr int ctrl(char key) {
    return key & 0x1F;
}

static line_result line_edit_run(line_edit & edit) {
    fputs("\x1b[?2004h", stdout);
    line_draw(edit);
    while (true) {
        if (edit.dirty && !terminal_pending(0)) {
            line_draw(edit);
        }
        const int key = terminal_read();
        switch (key) {
            case TERMINAL_END:
                line_leave(edit, "");
                return edit.text.empty() ? LINE_RESULT_END : LINE_RESULT_OK;
            case TERMINAL_INTERRUPT:
            case ctrl('C'):
                line_leave(edit, "^C");
                return LINE_RESULT_INTERRUPT;
            case '\r':
            case '\n':
                line_leave(edit, "");
                return LINE_RESULT_OK;
            case ctrl('D'):
                if (edit.text.empty()) {
                    line_leave(edit, "");
                    return LINE_RESULT_END;
                }
                line_erase(edit, edit.pos, line_next(edit, edit.pos));
                break;
            case 0x7F:
            case ctrl('H'): line_erase(edit, line_prev(edit, edit.pos), edit.pos);      break;
            case ctrl('W'): line_erase(edit, line_prev_word(edit, edit.pos), edit.pos); break;
            case ctrl('U'): line_erase(edit, 0, edit.pos);                              break;
            case ctrl('K'): line_erase(edit, edit.pos, edit.text.size());               break;
            case ctrl('A'): line_move(edit, 0);                                         break;
            case ctrl('E'): line_move(edit, edit.text.size());                          break;
            case ctrl('B'): line_move(edit, line_prev(edit, edit.pos));                 break;
            case ctrl('F'): line_move(edit, line_next(edit, edit.pos));                 break;
            case ctrl('P'): line_view(edit, -1);                                        break;
            case ctrl('N'): line_view(edit, +1);                                        break;
            case ctrl('L'):
                fputs("\x1b[H\x1b[2J", stdout);
                edit.cursor_row = 0;
                edit.dirty      = true;
                break;
            case ctrl('Z'):
                line_leave(edit, "^Z");
                terminal_suspend();
                fputs("\x1b[?2004h", stdout);
                edit.cursor_row = 0;
                edit.dirty      = true;
                break;
            case '\t':
                if (edit.editor.complete && edit.pos == edit.text.size()) {
                    const std::string text = edit.editor.complete(edit.text);
                    if (text != edit.text) {
                        line_replace(edit, text);
                    }
                }
                break;
            case 0x1B:
                line_escape(edit);
                break;
            default:
                if (key >= 0x20) {
                    line_insert(edit, read_character(key));
                }
        }
    }
}

// A line as it comes: from a pipe, a file, or a terminal that edits lines itself.
static line_result line_read_plain(const std::string & prompt, std::string & line) {
    if (terminal_input_is_tty() && terminal_output_is_tty()) {
        fputs(prompt.c_str(), stdout);
        fflush(stdout);
    }
    while (true) {
        const int byte = terminal_read();
        if (byte == TERMINAL_INTERRUPT) {
            return LINE_RESULT_INTERRUPT;
        }
        if (byte == TERMINAL_END && line.empty()) {
            return LINE_RESULT_END;
        }
        if (byte == TERMINAL_END || byte == '\n') {
            if (!line.empty() && line.back() == '\r') {
                line.pop_back();
            }
            return LINE_RESULT_OK;
        }
        line += (char) byte;
    }
}

line_result line_editor_read(line_editor & editor, const std::string & prompt, std::string & line) {
    line.clear();
    if (!editor.edit) {
        return line_read_plain(prompt, line);
    }
    line_edit edit(editor, prompt);
    terminal_set_mode(TERMINAL_MODE_RAW);
    const line_result result = line_edit_run(edit);
    terminal_set_mode(TERMINAL_MODE_QUIET);
    line = edit.text;
    return result;
}

void line_editor_remember(line_editor & editor, const std::string & line) {
    if (!line.empty() && (editor.history.empty() || editor.history.back() != line)) {
        editor.history.push_back(line);
    }
}
