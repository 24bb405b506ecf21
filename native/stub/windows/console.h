#ifndef LLAMAPACK_STUB_CONSOLE_H
#define LLAMAPACK_STUB_CONSOLE_H

#include <stdbool.h>

// Whether the window will close with this program, as after a double click, and somebody sees it.
bool window_closes(void);

void wait_for_enter(void);

#endif
