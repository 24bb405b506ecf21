#pragma once

#include "options.h"

// Throws user_error for options that need a part which this engine does not have, naming the way
// out: TLS, and GPU modules.
void unsupported_refuse(const options & opts);
