// `--config FILE`: the user's own settings, in the form of upstream's config.ini.
#pragma once

#include <string>
#include <vector>

// The words that the settings amount to: those before the first section, and of the section `[*]`.
// Throws user_error if the file cannot be read or has a key that no option has.
std::vector<std::string> config_words(const std::string & path);
