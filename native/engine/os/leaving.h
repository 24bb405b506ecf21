// Included by the compiler in front of upstream's server.cpp, which works in its signal handlers and waits
// for whoever still reads an answer.
#pragma once

// Calls `begin` in a thread of its own on the first SIGINT or SIGTERM, and on Windows' console events. The
// process ends LEAVING_MS later at the latest, or on a second one.
void leaving_watch(void (*begin)(int));

// Streams end as soon as this is true.
bool leaving_begun();

#ifdef LLAMAPACK_LEAVING
#    ifdef _WIN32
#        define WIN32_LEAN_AND_MEAN
#        define NOMINMAX
#        include <windows.h>
#        define SetConsoleCtrlHandler(handler, add) ((void) (handler), leaving_watch(signal_handler))
#    else
#        include <signal.h>
#        define sigaction(number, action, old) leaving_watch(signal_handler)
#    endif
#endif
