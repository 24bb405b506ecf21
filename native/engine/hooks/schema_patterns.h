// Regular expressions in JSON schemas, as upstream's converter understands them.
#pragma once

#include "json.h"

#include <string>

// Rewrites every "pattern" in a schema, and in what holds schemas.
void schema_patterns_mend(common_json & schema);

// Upstream takes any string where it does not know a part of a pattern: \d, \w, \s, an escape in brackets,
// a pattern that is not bound to both ends. What stands for any letter leaves out those that would end the
// JSON string which the pattern is about.
std::string schema_pattern_plain(const std::string & pattern);
