// The web UI that the server shows: the bundle's members in the folder `web-ui/`.
#pragma once

#include <string>

// Names the bundle, or "" if there is none and so no web UI. It is read when a server starts.
void web_ui_set_bundle(const std::string & path);
