// OpenAI's /v1/completions, which upstream answers in the shape of its chat.
#pragma once

#include "api_context.h"

// Chats, of which only streams of several choices are put right: their usage is of all.
server_http_context::handler_t chat_openai(server_http_context::handler_t handler);

server_http_context::handler_t completions_openai(const api_context & context, server_http_context::handler_t handler);
