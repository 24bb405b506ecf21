// Included by the compiler in front of upstream's json-schema.cpp and json-schema-to-grammar.cpp, which
// call themselves for each part of a schema, and some schemas have more parts than letters.
#pragma once

// Bounds the schemas that this thread converts from now on.
void schema_work_begin();

// Throws where one of them takes too long, or goes too deep.
void schema_work();

#ifdef LLAMAPACK_SCHEMA_BOUNDS
#    include "json-schema-to-grammar.h"
#    include "common.h"

#    include <algorithm>
#    include <functional>
#    include <limits>
#    include <map>
#    include <regex>
#    include <set>
#    include <sstream>
#    include <string>
#    include <string_view>
#    include <unordered_map>
#    include <unordered_set>
#    include <vector>

struct schema_step {
    schema_step() { schema_work(); }
};

inline common_chat_schema::node_kind operator%(common_chat_schema::node_kind kind, const schema_step &) {
    return kind;
}

// Each of their functions that call themselves asks JSON for a key, or a part for its kind.
#    define contains(key) contains((schema_work(), key))
#    define kind() kind() % schema_step()
#endif
