// The commands of the chat: /help, /clear, ...
#pragma once

#include "chat_session.h"

#include <string>

enum chat_command_result {
    CHAT_COMMAND_NONE, // no command but a message
    CHAT_COMMAND_DONE,
    CHAT_COMMAND_EXIT,
};

chat_command_result chat_command_run(chat_session & session, const std::string & line);

// `text` with the name of the command completed, as far as it is certain.
std::string chat_command_complete(const std::string & text);
