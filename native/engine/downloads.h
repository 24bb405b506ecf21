// Weights that a start names by an address or a repository: upstream fetches them.
#pragma once

#include "options.h"

// Fetches what `-hf`, `-mu` and their like name, and lets `opts` name the files. Throws user_error where
// that fails.
void downloads_fetch(options & opts);
