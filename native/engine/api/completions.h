// OpenAI's /v1/completions, which upstream answers in the shape of its chat.
#pragma once

#include "api_context.h"

server_http_context::handler_t completions_openai(const api_context & context, server_http_context::handler_t handler);
