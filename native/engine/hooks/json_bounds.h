// What the JSON of a request may cost, counted before upstream makes a tree of it.
#pragma once

#include <string>

struct json_bounds {
    std::string refusal;                // why the text is refused, "" if it is not
    bool        has_server_keys = false; // it may hold one of those below

    explicit json_bounds(const std::string & text);
};

// Keys of a request that upstream's chat routes set themselves, but copy out of a request where they do
// not. A parser of somebody else's ends the process (CVE-2026-107183).
bool json_key_is_server_s(const std::string & key);
