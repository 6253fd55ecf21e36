// What bodies look like: checked when they come in, published as OpenAPI's components. By name, in the order in which
// a person would read them. Patterns are POSIX extended ones that ECMAScript reads alike.
#include "base/memory.h"

#include "schema.h"

const struct schema_text component_schemas[] = {
    {"Error",
     "{\"type\":\"object\",\"description\":\"What went wrong\",\"required\":[\"error\",\"message\"],\"properties\":{"
     "\"error\":{\"type\":\"string\",\"description\":\"A short word for programs\",\"example\":\"not_found\"},"
     "\"message\":{\"type\":\"string\",\"description\":\"What to do, for a person\"}}}"},
    {"Health",
     "{\"type\":\"object\",\"required\":[\"service\",\"status\"],\"properties\":{"
     "\"service\":{\"type\":\"string\",\"example\":\"rl-arena\"},"
     "\"status\":{\"type\":\"string\",\"enum\":[\"ok\",\"ready\"]}}}"},
    {"Document", "{\"type\":\"object\",\"description\":\"An OpenAPI document\"}"},
};
const size_t component_schema_count = array_size(component_schemas);
