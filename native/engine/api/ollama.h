// The API of Ollama, made of upstream's routes: https://github.com/ollama/ollama/blob/main/docs/api.md
#pragma once

#include "api_context.h"

void ollama_routes_add(const api_context & context);
