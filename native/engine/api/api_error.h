// Errors in the shape of the API that was asked: OpenAI's, Anthropic's at its routes, Ollama's at its.
#pragma once

#include "json.h"

#include <string>

// `error` has at least "message", as upstream's have. The result is the body of an answer.
std::string api_error_text(const std::string & path, int status, const common_json & error);
