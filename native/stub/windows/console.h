#ifndef LLAMAPACK_STUB_CONSOLE_H
#define LLAMAPACK_STUB_CONSOLE_H

// Waits for Enter where the window would close with this program, such as after a double click.
void wait_if_window_closes(void);

#endif
