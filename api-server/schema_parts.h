// A compiled schema; only schema.c and schema_check.c look inside.
#pragma once

#include <regex.h>
#include <stdbool.h>

#include "schema.h"

// In the order of the words in schema.c.
enum schema_type {
  TYPE_OBJECT = 1,
  TYPE_ARRAY = 2,
  TYPE_STRING = 4,
  TYPE_INTEGER = 8,
  TYPE_NUMBER = 16,
  TYPE_BOOLEAN = 32,
  TYPE_NULL = 64,
};

// FORMAT_OTHER says something to a reader alone.
enum schema_format { FORMAT_NONE, FORMAT_UUID, FORMAT_EMAIL, FORMAT_URI, FORMAT_TIME, FORMAT_OTHER };

struct bound {
  bool set;
  double value;
};

struct property {
  char *name;
  struct schema *schema;
  bool required;
};

struct schema {
  const struct schemas *all;
  unsigned types;         // 0: any
  const char *reference;  // name of a component; borrowed from the text
  struct property *properties;
  unsigned property_count;
  bool closed;                // no other properties
  struct schema *additional;  // what others must be
  struct schema *items;
  struct schema **alternatives;
  unsigned alternative_count;
  bool exactly_one;
  json *words;              // enum; borrowed from the text
  const char *description;  // says what the pattern wants; borrowed from the text
  bool has_pattern;
  regex_t pattern;
  enum schema_format format;
  struct bound min_length, max_length, min_items, max_items, minimum, maximum, min_properties, max_properties;
};
