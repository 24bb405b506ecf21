// Files that go with the next message.
#pragma once

#include "chat_client.h"
#include "json.h"

#include <string>

struct chat_upload {
    std::string text;                         // the text files, each under its name
    common_json media = common_json::array(); // content parts: images, audio, video

    bool empty() const { return text.empty() && media.empty(); }
};

// Adds a file, by what it holds. Returns what went wrong, or nothing. `kind` is set to "text",
// "image", "audio" or "video".
std::string chat_upload_add(chat_upload & upload, const std::string & name, const chat_props & props, std::string & kind);
