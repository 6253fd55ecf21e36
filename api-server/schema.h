// JSON Schema as far as the front uses it: what the OpenAPI document says of a body is what is checked, by the same
// text. A keyword that is not known here ends the program at start, so that the document promises nothing that
// nobody checks.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/str.h"

struct schema_text {
  const char *name, *text;
};
extern const struct schema_text component_schemas[];  // schemas.c
extern const size_t component_schema_count;

struct schemas;
struct schema;

struct schemas *schemas_new(const struct schema_text *texts, size_t count);
void schemas_free(struct schemas *s);
const struct schema *schemas_find(const struct schemas *s, const char *name);  // NULL when there is none of that name
json *schemas_json(const struct schemas *s, const char *name);                 // its text, parsed; borrowed
// One that is no component: compiled once for each text and kept. The text must outlive the schemas.
const struct schema *schemas_inline(struct schemas *s, const char *text);

enum { SCHEMA_WHY_MAX = 256 };
// False: `ret_field` names what is wrong ("git.url", "agents[2]"; "" the whole) and `ret_why` says it ("must have at
// least 3 characters").
bool schema_check(const struct schema *s, json *value, struct str *ret_field, struct str *ret_why);
// The same for a text of a query: a number or true/false is read as such.
bool schema_check_text(const struct schema *s, const char *text, struct str *ret_why);
