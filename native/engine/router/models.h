// The models of a bundle that holds several. A member in the form of upstream's presets has a section
// for each, under the name that it is served as.
#pragma once

#include "bundle.h"
#include "options.h"

#include "preset.h"

#include <string>

struct bundle_models {
    common_presets presets; // by name; none where `--models-preset` is not given
    std::string    first;   // the one that is meant where nobody names one
};

// Reads the presets that `--models-preset` names, with members as `/zip/NAME`.
// Throws user_error if they cannot be read or name members that are not there.
bundle_models models_read(const options & opts, bundle & from);

// Whether all of the models are to be served: the user names none, and it is no raw completion.
bool models_are_routed(const options & opts, const bundle_models & models);

// Lets `opts` start one of the models: the one that the user's `-m` names, else the first. Where `-m`
// names a file or a member it leaves the models alone.
void models_choose(options & opts, const bundle_models & models, const bundle & from);

// Options that name weights, and so belong to one model: in arguments for all models, to the first.
bool models_is_weights(const std::string & option);
