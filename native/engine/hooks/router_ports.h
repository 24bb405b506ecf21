// In front of upstream's server-models.cpp: the ports of its children are those that the sandbox knows.
#pragma once

#include "http.h"

int router_free_port();

#define common_http_get_free_port router_free_port
