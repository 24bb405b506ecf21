// Which weights are used, and with which context size.
#pragma once

#include "bundle.h"
#include "options.h"

#include <string>
#include <vector>

// Opens the bundle that the user's `-m` names in place of `from`, and takes that `-m` out of `user`.
// Does nothing where `-m` names a GGUF or a member.
void model_open_bundle(std::vector<std::string> & user, bundle & from);

// Completes the options: weights out of the bundle when none are named, nothing of the bundle's
// model with weights of the user's, names of members made into paths, context size, a readable name
// for the API.
// Throws user_error when there are no weights or they cannot be used.
void model_choose(options & opts, bundle & from);
