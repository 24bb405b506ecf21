// Several models from one file: upstream's router serves them, and starts this program once more for
// each that is asked for. This is what both sides of that need to know.
#pragma once

#include "bundle.h"
#include "models.h"
#include "options.h"

#include <string>
#include <vector>

// Makes of the options for all models those of the router, which takes models and their options from a
// preset. Prepares the environment of the processes that it will start.
// `program` is this engine, `self` the bundle that it was started from, `from` the one with the weights.
// Throws user_error for a value that a preset cannot hold.
void router_prepare(options & opts, const bundle_models & models, const std::string & program, const bundle & self, bundle & from);

// More words for the processes that the router starts.
void router_add_child_words(const std::vector<std::string> & words);

// The ports that they listen at, where it matters.
const std::vector<int> & router_child_ports();

// Whether one of its models takes pictures, sound or video.
bool router_has_media();

// What the router told a model's process.
struct router_child {
    bool        is_child = false; // false in any other process
    std::string bundle;           // that the engine was started from, "" if from none
    std::string weights;          // the bundle that holds the weights, "" if none does
    std::string args;             // words in place of the bundle's `.args`
    std::string router;           // number of the process, for parent_follow()
};

// Reads it out of the environment.
router_child router_child_read();
