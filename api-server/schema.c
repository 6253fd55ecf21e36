// Compiling a schema's text into a tree. schema_check.c walks it.
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"

#include "schema_parts.h"

struct schemas {
  struct map *named;    // name -> struct component
  struct map *inlined;  // text -> struct component
};

struct component {
  json *text;
  struct schema *schema;
};

static void broken(const char *where, const char *why, const char *what) {
  fprintf(stderr, "schema %s: %s %s\n", where, why, what);
  abort();
}

// ---- freeing ---------------------------------------------------------------------------------------

static void schema_free(struct schema *s) {
  if (!s) return;
  for (unsigned i = 0; i < s->property_count; i++) {
    free(s->properties[i].name);
    schema_free(s->properties[i].schema);
  }
  free(s->properties);
  schema_free(s->items);
  schema_free(s->additional);
  for (unsigned i = 0; i < s->alternative_count; i++) schema_free(s->alternatives[i]);
  free(s->alternatives);
  if (s->has_pattern) regfree(&s->pattern);
  free(s);
}

static void component_free(void *value) {
  struct component *c = value;
  schema_free(c->schema);
  json_put(&c->text);
  free(c);
}

// ---- compiling -------------------------------------------------------------------------------------

static struct schema *compile(struct schemas *all, json *text, const char *where);

static unsigned type_bit(const char *where, const char *word) {
  static const char *const words[] = {"object", "array", "string", "integer", "number", "boolean", "null"};
  for (unsigned i = 0; i < array_size(words); i++)
    if (text_equal(word, words[i])) return 1U << i;
  broken(where, "no such type:", word ? word : "(none)");
  return 0;
}

static void compile_type(struct schema *s, json *value, const char *where) {
  if (json_object_is_type(value, json_type_string)) s->types = type_bit(where, json_object_get_string(value));
  for (size_t i = 0; i < json_length(value); i++)
    s->types |= type_bit(where, json_object_get_string(json_item(value, i)));
}

static void compile_properties(struct schemas *all, struct schema *s, json *value, const char *where) {
  json_object_object_foreach(value, name, property) {
    s->properties = mem_grow(s->properties, s->property_count + 1, sizeof(*s->properties));
    s->properties[s->property_count++] =
        (struct property){.name = mem_strdup(name), .schema = compile(all, property, where)};
  }
}

static void compile_required(struct schema *s, json *value, const char *where) {
  for (size_t i = 0; i < json_length(value); i++) {
    const char *name = json_object_get_string(json_item(value, i));
    bool known = false;
    for (unsigned k = 0; k < s->property_count; k++) {
      if (!text_equal(s->properties[k].name, name)) continue;
      s->properties[k].required = known = true;
    }
    if (!known) broken(where, "requires what is no property:", name);
  }
}

static void compile_pattern(struct schema *s, json *value, const char *where) {
  const char *pattern = json_object_get_string(value);
  // JSON Schema's patterns are ECMAScript's; POSIX's extended ones are the same without backslashes.
  if (strchr(pattern, '\\') || strstr(pattern, "(?"))
    broken(where, "pattern that two dialects read differently:", pattern);
  if (regcomp(&s->pattern, pattern, REG_EXTENDED | REG_NOSUB) != 0) broken(where, "bad pattern", pattern);
  s->has_pattern = true;
}

static void compile_alternatives(struct schemas *all, struct schema *s, json *value, const char *where) {
  s->alternative_count = (unsigned)json_length(value);
  s->alternatives = mem_alloc(s->alternative_count * sizeof(struct schema *));
  for (unsigned i = 0; i < s->alternative_count; i++) s->alternatives[i] = compile(all, json_item(value, i), where);
}

static void compile_format(struct schema *s, json *value, const char *where) {
  static const char *const formats[] = {[FORMAT_UUID] = "uuid",
                                        [FORMAT_EMAIL] = "email",
                                        [FORMAT_URI] = "uri",
                                        [FORMAT_TIME] = "date-time",
                                        [FORMAT_OTHER] = NULL};
  const char *word = json_object_get_string(value);
  for (int i = FORMAT_UUID; i < FORMAT_OTHER; i++)
    if (text_equal(word, formats[i])) s->format = (enum schema_format)i;
  static const char *const descriptive[] = {"binary", "int64", "int32", "double", "password", "uri-reference"};
  for (unsigned i = 0; i < array_size(descriptive); i++)
    if (text_equal(word, descriptive[i])) s->format = FORMAT_OTHER;
  if (s->format == FORMAT_NONE) broken(where, "no such format:", word);
}

static bool is_note(const char *key) {
  static const char *const notes[] = {"title", "default", "example", "examples", "readOnly", "writeOnly", "deprecated"};
  for (unsigned i = 0; i < array_size(notes); i++)
    if (text_equal(key, notes[i])) return true;
  return false;
}

static bool compile_bound(struct schema *s, const char *key, json *value) {
  struct {
    const char *key;
    struct bound *bound;
  } bounds[] = {{"minLength", &s->min_length},
                {"maxLength", &s->max_length},
                {"minItems", &s->min_items},
                {"maxItems", &s->max_items},
                {"minimum", &s->minimum},
                {"maximum", &s->maximum},
                {"minProperties", &s->min_properties},
                {"maxProperties", &s->max_properties}};
  for (unsigned i = 0; i < array_size(bounds); i++) {
    if (!text_equal(key, bounds[i].key)) continue;
    *bounds[i].bound = (struct bound){.set = true, .value = json_object_get_double(value)};
    return true;
  }
  return false;
}

static void compile_reference(struct schema *s, json *value, const char *where) {
  static const char start[] = "#/components/schemas/";
  const char *reference = json_object_get_string(value);
  if (!text_starts(reference, start)) broken(where, "refers elsewhere:", reference);
  s->reference = reference + strlen(start);
}

static void compile_keyword(struct schemas *all, struct schema *s, const char *key, json *value, const char *where) {
  if (text_equal(key, "type"))
    compile_type(s, value, where);
  else if (text_equal(key, "properties"))
    compile_properties(all, s, value, where);
  else if (text_equal(key, "additionalProperties")) {
    s->closed = json_object_is_type(value, json_type_boolean) && !json_object_get_boolean(value);
    if (json_object_is_type(value, json_type_object)) s->additional = compile(all, value, where);
  } else if (text_equal(key, "items"))
    s->items = compile(all, value, where);
  else if (text_equal(key, "enum"))
    s->words = value;
  else if (text_equal(key, "pattern"))
    compile_pattern(s, value, where);
  else if (text_equal(key, "description"))
    s->description = json_object_get_string(value);
  else if (text_equal(key, "format"))
    compile_format(s, value, where);
  else if (text_equal(key, "oneOf") || text_equal(key, "anyOf")) {
    s->exactly_one = text_equal(key, "oneOf");
    compile_alternatives(all, s, value, where);
  } else if (text_equal(key, "$ref"))
    compile_reference(s, value, where);
  else if (!text_equal(key, "required") && !compile_bound(s, key, value) && !is_note(key))
    broken(where, "unknown keyword", key);
}

static struct schema *compile(struct schemas *all, json *text, const char *where) {
  if (!json_object_is_type(text, json_type_object)) broken(where, "is no object", "");
  struct schema *s = mem_alloc(sizeof(*s));
  s->all = all;
  json_object_object_foreach(text, key, value) compile_keyword(all, s, key, value, where);
  json *required = json_get(text, "required");
  if (required) compile_required(s, required, where);
  return s;
}

static struct component *component_new(struct schemas *all, const char *name, const char *text) {
  struct error e = {0};
  struct component *c = mem_alloc(sizeof(*c));
  c->text = json_parse(text, strlen(text), &e);
  if (!c->text) broken(name, "is no JSON:", e.text);
  c->schema = compile(all, c->text, name);
  return c;
}

static void check_references(const struct schemas *all, const struct schema *s, const char *where) {
  if (!s) return;
  if (s->reference && !map_get(all->named, s->reference)) broken(where, "refers to nothing:", s->reference);
  for (unsigned i = 0; i < s->property_count; i++) check_references(all, s->properties[i].schema, where);
  for (unsigned i = 0; i < s->alternative_count; i++) check_references(all, s->alternatives[i], where);
  check_references(all, s->items, where);
  check_references(all, s->additional, where);
}

struct schemas *schemas_new(const struct schema_text *texts, size_t count) {
  struct schemas *s = mem_alloc(sizeof(*s));
  s->named = map_new(component_free);
  s->inlined = map_new(component_free);
  for (size_t i = 0; i < count; i++) map_put(s->named, texts[i].name, component_new(s, texts[i].name, texts[i].text));
  map_each (s->named, entry) {
    const struct component *c = map_value(entry);
    check_references(s, c->schema, map_key(entry));
  }
  return s;
}

void schemas_free(struct schemas *s) {
  if (!s) return;
  map_free(s->named);
  map_free(s->inlined);
  free(s);
}

const struct schema *schemas_find(const struct schemas *s, const char *name) {
  const struct component *c = map_get(s->named, name);
  return c ? c->schema : NULL;
}

json *schemas_json(const struct schemas *s, const char *name) {
  const struct component *c = map_get(s->named, name);
  return c ? c->text : NULL;
}

const struct schema *schemas_inline(struct schemas *s, const char *text) {
  struct component *c = map_get(s->inlined, text);
  if (!c) {
    c = component_new(s, text, text);
    check_references(s, c->schema, text);
    map_put(s->inlined, text, c);
  }
  return c->schema;
}
