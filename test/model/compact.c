#include "compact.h"

#include <stdlib.h>

static json *compact_object(json *j) {
  json *copy = json_object_new_object();
  struct lh_table *table = json_object_get_object(copy);
  const int keys = json_object_object_length(j);
  if (table == NULL || lh_table_resize(table, keys < 2 ? 3 : keys * 3 / 2 + 1) != 0) abort();
  json_object_object_foreach(j, key, value) json_object_object_add(copy, key, compact(value));
  return copy;
}

static json *compact_array(json *j) {
  const size_t length = json_object_array_length(j);
  json *copy = json_object_new_array_ext((int)length + 1);
  for (size_t i = 0; i < length; i++) json_object_array_add(copy, compact(json_object_array_get_idx(j, i)));
  return copy;
}

json *compact(json *j) {
  switch (json_object_get_type(j)) {
    case json_type_null: return NULL;
    case json_type_boolean: return json_object_new_boolean(json_object_get_boolean(j));
    case json_type_int: return json_object_new_int64(json_object_get_int64(j));
    case json_type_double: return json_object_new_double(json_object_get_double(j));
    case json_type_string: return json_object_new_string_len(json_object_get_string(j), json_object_get_string_len(j));
    case json_type_array: return compact_array(j);
    case json_type_object: return compact_object(j);
  }
  return NULL;
}
