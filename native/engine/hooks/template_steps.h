// Included by the compiler in front of upstream's jinja/value.cpp, where texts are searched and replaced
// for as long as a template likes without asking for memory, which is when template_budget.h looks at
// the clock.
#pragma once

#include "jinja/runtime.h"
#include "jinja/value.h"
#include "json.h"
#include "unicode.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

// Ends a template that has taken too long, as template_refuse() does.
void template_step();

#define find(text, ...)  find((template_step(), text), ##__VA_ARGS__)
#define rfind(text, ...) rfind((template_step(), text), ##__VA_ARGS__)
