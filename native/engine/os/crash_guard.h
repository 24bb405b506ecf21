// A crash in the middle of a chat gives the terminal back.
#pragma once

// From now on `restore`, which has to be async-signal-safe, runs before this process ends of a crash.
void crash_guard_install(void (*restore)());

// Lets it run also where this thread has used up its stack.
void crash_guard_thread();
