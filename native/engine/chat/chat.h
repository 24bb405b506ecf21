// The terminal chat: a small client of the server's HTTP API.
#pragma once

#include <atomic>
#include <string>
#include <vector>

struct chat_options {
    std::string server_base;                // "http://127.0.0.1:8080"
    const std::atomic<bool> * server_ended = nullptr; // of a server in this process
    std::string api_key;                    // empty if none; sent as Authorization: Bearer
    std::string system_prompt;              // empty if none
    std::string model;                      // the one of several to start with; empty: the server's own choice
    std::string title;                      // printed at the start (model name, URL, ...)
    bool        multiline   = false;        // start in multi-line input
    bool        color       = true;
    bool        simple_io   = false;        // no line editor: the terminal's own line input
    bool        single_turn = false;        // leave after the first answer
    std::vector<std::string> images;        // files that go with the first message
    std::string first_message;              // sent as the first user message when not empty
};

// Chats until the user leaves. Waits for the server first, if it is still loading.
// Returns the exit status of the process: 0, 1 after a failure, 130 when left by Ctrl-C.
int chat_run(const chat_options & options);

// For the handler of SIGINT (async-signal-safe): stops the answer that is being written, or counts
// as a Ctrl-C at the prompt. Before and after chat_run() it does nothing but set a flag.
void chat_interrupt();

// Gives the terminal back as it was found (async-signal-safe); for a process that has to leave
// in the middle of chat_run().
void chat_restore_terminal();
