// What upstream's server is started with where it is called with parameters, not with words.
#pragma once

#include "options.h"

#include "common.h"

// Begins upstream's common code and parses the options that its server knows. Ends the process where
// they are wrong. `verbosity` is upstream's, unless an option says another.
common_params server_params(const options & opts, int verbosity);
common_params server_params(std::vector<std::string> words, int verbosity);
