// Where the server listens, and whether it answers.
#pragma once

#include "options.h"

#include <functional>
#include <string>

// Settles host and port in `opts`: 8080 unless given, and the next free one when nobody asked for a
// certain port. Returns a note such as "port 8080 is taken", or "".
std::string server_address_choose(options & opts);

// The base URL for programs on this machine, such as "http://127.0.0.1:8080".
std::string server_url(const options & opts);

// Waits until GET /health answers 200. Returns false as soon as `stop` returns true.
bool server_wait(const std::string & url, const std::function<bool()> & stop);
