#include "chat_upload.h"

#include "sandbox.h"
#include "utf8.h"

#include "base64.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace fs = std::filesystem;

static constexpr uintmax_t UPLOAD_SIZE_MAX = 256u * 1024 * 1024;

static bool starts_with(const std::string & data, const std::string & magic, size_t pos = 0) {
    return data.compare(pos, magic.size(), magic) == 0;
}

// The media type of the data; empty if it is none that models take.
static std::string media_type(const std::string & data) {
    const bool riff = data.size() > 12 && starts_with(data, "RIFF");
    if (starts_with(data, "\x89PNG\r\n"))                                      { return "image/png";  }
    if (starts_with(data, "\xFF\xD8\xFF"))                                     { return "image/jpeg"; }
    if (starts_with(data, "GIF8"))                                             { return "image/gif";  }
    if (starts_with(data, "BM") && !utf8_is_text(data))                        { return "image/bmp";  }
    if (riff && starts_with(data, "WEBP", 8))                                  { return "image/webp"; }
    if (riff && starts_with(data, "WAVE", 8))                                  { return "audio/wav";  }
    if (starts_with(data, "ID3") || starts_with(data, "\xFF\xFB"))             { return "audio/mp3";  }
    if (starts_with(data, "\xFF\xF3") || starts_with(data, "\xFF\xF2"))        { return "audio/mp3";  }
    if (starts_with(data, "fLaC"))                                             { return "audio/flac"; }
    if (riff && starts_with(data, "AVI ", 8))                                  { return "video/avi";  }
    if (data.size() > 12 && starts_with(data, "ftyp", 4))                      { return "video/mp4";  }
    if (starts_with(data, "\x1A\x45\xDF\xA3"))                                 { return "video/webm"; }
    return "";
}

// The name as it may be typed, pasted or dragged into a terminal: quoted, with escapes, with ~.
static fs::path file_path(const std::string & typed) {
    std::string name = typed;
    if (name.size() >= 2 && (name[0] == '\'' || name[0] == '"') && name.back() == name[0]) {
        name = name.substr(1, name.size() - 2);
    }
    std::error_code ec;
#ifndef _WIN32
    const char * home = getenv("HOME");
    if (starts_with(name, "~/") && home) {
        name = home + name.substr(1);
    }
    if (!fs::exists(fs::u8path(name), ec)) {
        std::string plain;
        for (size_t i = 0; i < name.size(); i++) {
            i += name[i] == '\\' && i + 1 < name.size();
            plain += name[i];
        }
        if (fs::exists(fs::u8path(plain), ec)) {
            name = plain;
        }
    }
#endif
    return fs::u8path(name);
}

static common_json media_part(const std::string & type, const std::string & data) {
    const std::string encoded = base64::encode(data);
    const std::string kind    = type.substr(0, 5);
    if (kind == "image") {
        return {{"type", "image_url"}, {"image_url", {{"url", "data:" + type + ";base64," + encoded}}}};
    }
    if (kind == "audio") {
        return {{"type", "input_audio"}, {"input_audio", {{"data", encoded}, {"format", type.substr(6)}}}};
    }
    return {{"type", "input_video"}, {"input_video", {{"data", encoded}}}};
}

std::string chat_upload_add(chat_upload & upload, const std::string & name, const chat_props & props, std::string & kind) {
    const fs::path  path = file_path(name);
    std::error_code ec;
    if (!fs::exists(path, ec)) {
        return "there is no file `" + name + "`";
    }
    if (fs::is_directory(path, ec)) {
        return "`" + name + "` is a directory";
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return "cannot read `" + name + "`" + sandbox_hint();
    }
    const uintmax_t size = fs::file_size(path, ec);
    if (!ec && size > UPLOAD_SIZE_MAX) {
        return "`" + name + "` is too large";
    }
    const std::string data((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (data.empty()) {
        return "`" + name + "` is empty";
    }

    const std::string type = media_type(data);
    if (type.empty() && !utf8_is_text(data)) {
        return "`" + name + "` is no text in UTF-8, no image and no sound that could be sent";
    }
    kind = type.empty() ? "text" : type.substr(0, 5);
    if (kind == "text") {
        upload.text += "--- File: " + path.filename().u8string() + " ---\n" + data + (data.back() == '\n' ? "\n" : "\n\n");
        return "";
    }
    if ((kind == "image" && !props.vision) || (kind == "audio" && !props.audio) || (kind == "video" && !props.video)) {
        return "this model takes no " + kind + ": it needs one with a projector for it (--mmproj)";
    }
    upload.media.push_back(media_part(type, data));
    return "";
}
