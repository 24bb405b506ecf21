#include "renamed.h"

#include "judged_options.h"
#include "program_path.h"
#include "temporary_file.h"

#include "arg.h"
#include "common.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

// Variables of the options that `--load-mode` replaced, in upstream's order: the last one counted.
static const struct {
    const char * name;
    const char * on;
    const char * off; // "": nothing
} VARIABLES[] = {
    { "LLAMA_ARG_MLOCK",   "mlock", ""     },
    { "LLAMA_ARG_MMAP",    "mmap",  "none" },
    { "LLAMA_ARG_NO_MMAP", "none",  "none" }, // whatever its value
    { "LLAMA_ARG_DIO",     "dio",   "none" },
    { "LLAMA_ARG_NO_DIO",  "none",  "none" },
};

static const char LOAD_MODE[] = "LLAMA_ARG_LOAD_MODE";

std::pair<std::string, std::string> renamed_option(const std::string & name) {
    for (const removed_option & one : REMOVED_OPTIONS) {
        if (name == one.name) {
            return { one.option, one.value };
        }
    }
    return {};
}

// What a key of a preset means today: without dashes, or the name of a variable. Returns false if it is no old one.
static bool key_renamed(const std::string & key, const std::string & value, std::string & line) {
    std::string mode;
    bool        is_old = false;
    const bool  is_off = common_arg_utils::is_falsey(value);
    for (const auto & one : VARIABLES) {
        if (key == one.name) {
            is_old = true;
            mode   = is_off ? one.off : one.on;
        }
    }
    for (const removed_option & one : REMOVED_OPTIONS) {
        const std::string plain = std::string(one.name).substr(std::string(one.name).find_first_not_of('-'));
        if (key == plain) {
            is_old = true;
            mode   = is_off ? one.value_off : one.value;
        }
    }
    line = mode.empty() ? "" : "load-mode = " + mode;
    return is_old;
}

std::string renamed_file(const std::string & path) {
    std::ifstream file(std::filesystem::u8path(path), std::ios::binary);
    std::string   text, line, today;
    bool          is_changed = false;
    while (std::getline(file, line)) {
        const size_t equals = line.find('=');
        if (equals != std::string::npos && key_renamed(string_strip(line.substr(0, equals)), string_strip(line.substr(equals + 1)), today)) {
            line       = today;
            is_changed = true;
        }
        text += line + '\n';
    }
    return is_changed ? temporary_file_write(text) : path;
}

void renamed_environment() {
    if (!environment_get(LOAD_MODE).empty()) {
        return;
    }
    std::string mode;
    for (const auto & one : VARIABLES) {
        const std::string value = environment_get(one.name);
        const std::string means = value.empty() ? "" : common_arg_utils::is_falsey(value) ? one.off : one.on;
        mode = means.empty() ? mode : means;
    }
    if (!mode.empty()) {
        environment_set(LOAD_MODE, mode);
    }
}

void renamed_warn(const std::string & name, const std::string & value) {
    if ((name == "-j" || name == "--json-schema") && string_strip(value) == "{}") {
        fprintf(stderr, "NOTE %s {} stands for any JSON since llama.cpp v0.6.0; any object is %s '{\"type\": \"object\"}'\n", name.c_str(), name.c_str());
    }
}
