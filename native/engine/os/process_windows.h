// Starts programs on Windows: without a window and without input. All texts are UTF-8.
#pragma once

#include <string>
#include <vector>

#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>

// A pipe whose end for writing a program can be started with.
struct process_pipe {
    HANDLE out = nullptr;
    HANDLE in  = nullptr;
};

// Returns false if there can be none; GetLastError says why.
bool process_pipe_open(process_pipe & pipe);

// What is written to the pipe until its last writer has closed it; the caller's own `in` is closed before.
std::string process_pipe_read(HANDLE out);

// Starts words[0], in `folder` unless that is "". What it writes to stdout and stderr goes to `out` and
// `err`, or nowhere where they are null. Returns the process, or null; GetLastError says why.
HANDLE process_start(const std::vector<std::string> & words, const std::string & folder, HANDLE out, HANDLE err);

// Its exit status once it has ended; closes the handle.
DWORD process_end(HANDLE process);
