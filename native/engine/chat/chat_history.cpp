#include "chat_history.h"

#include "helper.h"

#include <filesystem>

common_json chat_history_to_json(const chat_history & history) {
    common_json result = common_json::array();
    if (!history.system.empty()) {
        result.push_back({{"role", "system"}, {"content", history.system}});
    }
    for (const common_json & message : history.messages) {
        result.push_back(message);
    }
    return result;
}

void chat_history_add_user(chat_history & history, const std::string & text, const common_json & media) {
    common_json content = text;
    if (!media.empty()) {
        content = media;
        content.push_back({{"type", "text"}, {"text", text}});
    }
    history.messages.push_back({{"role", "user"}, {"content", content}});
}

void chat_history_add_assistant(chat_history & history, const std::string & content, const std::string & reasoning) {
    common_json message = {{"role", "assistant"}, {"content", content}};
    if (!reasoning.empty()) {
        message["reasoning_content"] = reasoning;
    }
    history.messages.push_back(message);
}

static bool chat_message_is_user(const common_json & message) {
    return message.at("role") == "user";
}

bool chat_history_undo(chat_history & history) {
    auto & messages = history.messages;
    for (size_t i = messages.size(); i-- > 0;) {
        if (chat_message_is_user(messages[i])) {
            messages.resize(i);
            return true;
        }
    }
    return false;
}

bool chat_history_forget(chat_history & history) {
    auto & messages = history.messages;
    if (messages.empty()) {
        return false;
    }
    size_t end = 1;
    while (end < messages.size() && !chat_message_is_user(messages[end])) {
        end++;
    }
    messages.erase(messages.begin(), messages.begin() + (ptrdiff_t) end);
    return true;
}

void chat_history_push(chat_history & history) {
    history.stack.emplace_back(history.system, history.messages);
}

bool chat_history_pop(chat_history & history) {
    if (history.stack.empty()) {
        return false;
    }
    history.system   = history.stack.back().first;
    history.messages = history.stack.back().second;
    history.stack.pop_back();
    return true;
}

std::string chat_message_text(const common_json & message) {
    const common_json & content = message.at("content");
    if (content.is_string()) {
        return content.get<std::string>();
    }
    std::string text;
    for (const common_json & part : content) {
        const std::string type = part.value("type", "");
        text += type == "text" ? part.value("text", "") : "[" + type.substr(0, type.find("_url")) + "]\n";
    }
    return text;
}

static std::string chat_history_to_text(const chat_history & history) {
    std::string text;
    for (const common_json & message : chat_history_to_json(history)) {
        const std::string role = message.value("role", "");
        text += role == "system" ? "System:\n" : role == "user" ? "User:\n" : "Assistant:\n";
        text += chat_message_text(message) + "\n\n";
    }
    return text;
}

std::string chat_history_dump(const chat_history & history, const std::string & name) {
    const auto      path = std::filesystem::u8path(name);
    std::error_code ec;
    if (std::filesystem::exists(std::filesystem::symlink_status(path, ec))) {
        return "`" + name + "` exists; it is not overwritten";
    }
    const std::string failure = helper_write(name, path.extension() == ".json"
        ? common_json{{"messages", chat_history_to_json(history)}}.dump_safe(2) + "\n" : chat_history_to_text(history));
    return failure.empty() ? "" : "cannot write `" + name + "`: " + failure;
}
