// The state of a chat, shared by its loop (chat.cpp) and its commands (chat_commands.cpp).
#pragma once

#include "chat_client.h"
#include "chat_history.h"
#include "chat_upload.h"
#include "chat_view.h"
#include "line_editor.h"

#include <string>

struct chat_session {
    chat_client  client;
    chat_props   props;
    chat_history history;
    chat_view    view;
    line_editor  editor;
    chat_upload  upload;            // goes with the next message
    bool         multiline = false;
    bool         failed    = false; // something went wrong; the exit status of a chat without a person

    chat_timings last;              // of the last answer
    chat_timings all;               // of all answers so far
};

// Lets the model answer the conversation as it is, whose last message is the user's. Returns
// whether there is an answer, be it a partial one.
bool chat_session_answer(chat_session & session);
