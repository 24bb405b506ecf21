// What the chat needs of a terminal, the same on every system: bytes as they are typed, interrupts
// that wake a waiting read, the width of the window.
#pragma once

#include <string>

enum terminal_mode {
    TERMINAL_MODE_ORIGINAL, // as it was found
    TERMINAL_MODE_QUIET,    // keys are kept, not shown; Ctrl-C interrupts (while an answer is written)
    TERMINAL_MODE_RAW,      // every key arrives as bytes, Ctrl-C too (while a line is edited)
};

// What terminal_read() returns besides a byte.
constexpr int TERMINAL_END       = -1;
constexpr int TERMINAL_INTERRUPT = -2;

bool terminal_input_is_tty();
bool terminal_output_is_tty();
bool terminal_error_is_tty();

// Whether the terminal says that it knows no escape sequences: TERM=dumb.
bool terminal_is_dumb();

// Whether lines can be edited here: keys one by one and escape sequences understood.
bool terminal_can_edit();

void terminal_open();
void terminal_set_mode(terminal_mode mode);
void terminal_close(); // async-signal-safe where signals exist
void terminal_reset(); // the same in the middle of a line: colours and marks of pasted text end, too

// The next byte of input: special keys come as the escape sequences of a VT100.
int  terminal_read();

// Whether another byte arrives within `timeout_ms`.
bool terminal_pending(int timeout_ms);

int  terminal_columns();

// Ctrl-Z in raw mode: stops this process and comes back in raw mode. Nothing on Windows.
void terminal_suspend();

// The interrupt: a flag, and a wake-up for terminal_read(). Setting it is async-signal-safe.
void terminal_interrupt();
bool terminal_interrupted();
void terminal_interrupt_clear();
