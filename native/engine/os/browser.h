#pragma once

#include <string>

// True where a page could be shown: a desktop session of this user.
bool browser_available();

// Shows `url` in the user's browser. Returns at once; a failure is silent.
void browser_open(const std::string & url);
