// TLS: whom this program trusts, and what it shows to others.
#pragma once

#include "options.h"

#include <string>

// Names the bundle whose member `tls/roots.pem` lists certificate authorities, for machines without a list.
void tls_roots_set_bundle(const std::string & path);

// Why the last certificate of a server was refused, or "".
std::string tls_failure();

// Settles key and certificate of the server. `--https` makes them, in the cache, and they are kept for a year.
// Throws user_error for a pair that cannot be used.
void tls_server_settle(options & opts);
