// Turns names of members in option values into paths that upstream can open.
#pragma once

#include "bundle.h"
#include "options.h"

// Replaces `/zip/NAME`, and a bare `NAME` that is no file but a member, in every option that takes
// a file. Throws user_error for a member that is not there.
void members_resolve(options & opts, bundle & from);
