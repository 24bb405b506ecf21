// The conversation: its messages as the server wants them, and the stack of saved ones.
#pragma once

#include "json.h"

#include <string>
#include <vector>

struct chat_history {
    std::string              system;   // the system prompt; empty if none
    std::vector<common_json> messages; // {"role", "content"}: user and assistant, without the system prompt

    std::vector<std::pair<std::string, std::vector<common_json>>> stack; // saved (system, messages)
};

// With the system prompt first, as a request needs them.
common_json chat_history_to_json(const chat_history & history);

void chat_history_add_user(chat_history & history, const std::string & text, const common_json & media);
void chat_history_add_assistant(chat_history & history, const std::string & content, const std::string & reasoning);

// Drops the last user message with all that follows; false if there is none.
bool chat_history_undo(chat_history & history);

// Drops the oldest user message with all that follows up to the next one; false if there is none.
bool chat_history_forget(chat_history & history);

void chat_history_push(chat_history & history);
bool chat_history_pop(chat_history & history); // false if the stack is empty

// The words of a message; a remark in the place of an image.
std::string chat_message_text(const common_json & message);

// Writes the conversation to a file that must not exist: JSON when its name ends in .json, else
// text. Returns what went wrong, or nothing.
std::string chat_history_dump(const chat_history & history, const std::string & path);
