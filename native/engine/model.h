// Which weights are used, and with which context size.
#pragma once

#include "bundle.h"
#include "options.h"

#include <string>
#include <vector>

// Opens the bundle that the user's `-m` names in place of `from`, and returns that `-m`; or the one
// beside a `from` without weights. Returns null where `-m` names a GGUF or a member, or is missing.
const given_option * model_open_bundle(const options & opts, bundle & from);

// Completes the options: weights out of the bundle when none are named, nothing of the bundle's
// model with weights of the user's, names of members made into paths, context size, a readable name
// for the API.
// Throws user_error when there are no weights or they cannot be used.
void model_choose(options & opts, bundle & from);

// The context size that the model was trained with, in tokens; 0 if its header does not say.
// Throws user_error for what is not a GGUF.
uint32_t model_context_trained(const std::string & path);
