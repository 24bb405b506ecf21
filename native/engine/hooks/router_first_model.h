// The model of several that answers requests for unknown ones.
#pragma once

#include <string>

void router_set_first_model(const std::string & name);
