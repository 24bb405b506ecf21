#include "config.h"

#include "renamed.h"
#include "user_error.h"

#include "preset.h"

#include <filesystem>

std::vector<std::string> config_words(const std::string & path) {
    if (!std::filesystem::exists(std::filesystem::u8path(path)) || std::filesystem::is_directory(std::filesystem::u8path(path))) {
        throw user_error(path + ": no such file", "--config takes the path of a file with options");
    }
    try {
        common_preset_context context(LLAMA_EXAMPLE_SERVER);
        for (const llama_example example : { LLAMA_EXAMPLE_CLI, LLAMA_EXAMPLE_COMPLETION }) {
            const common_preset_context other(example);
            context.key_to_opt.insert(other.key_to_opt.begin(), other.key_to_opt.end());
        }
        common_preset        settings;
        const common_presets sections = context.load_from_ini(std::filesystem::u8path(renamed_file(path)), settings);
        const auto           first    = sections.find(COMMON_PRESET_DEFAULT_NAME);
        if (first != sections.end()) {
            settings.merge(first->second);
        }
        return settings.to_args("");
    } catch (const std::exception & error) {
        throw user_error(path + ": " + error.what(), "write `KEY = VALUE` lines, where a KEY is an option without its dashes");
    }
}
