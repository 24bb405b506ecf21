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
// model with weights of the user's, names of members made into paths. Parses nothing of the weights.
// Throws user_error when there are none.
void model_choose(options & opts, bundle & from);

// Completes them by what the weights say: context size, a readable name for the API, and whether it chats.
// Throws user_error when they cannot be used.
void model_examine(options & opts);

// What the header of a GGUF says of the model.
struct model_header {
    uint32_t context_trained = 0;     // tokens, 0 if it does not say
    bool     has_template    = false; // for chats
};

// Throws user_error for what is not a GGUF.
model_header model_header_read(const std::string & path);
