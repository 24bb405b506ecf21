// Options that upstream removed since the first release of bundles. `.args`, presets, configuration files
// and environments that have them are in use; native/options.toml says what they are called today.
#pragma once

#include <string>
#include <utility>

// Today's option and its value; both "" where `name` was not removed.
std::pair<std::string, std::string> renamed_option(const std::string & name);

// The path of a file with presets or options in which today's names are: `path` itself if it has no others.
std::string renamed_file(const std::string & path);

// Gives upstream today's variables for those of earlier releases.
void renamed_environment();

// Says on stderr where an option's value means something else than it did.
void renamed_warn(const std::string & name, const std::string & value);
