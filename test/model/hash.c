#include "hash.h"

#include <string.h>

#include "base/str.h"

uint64_t hash_bytes(const void *bytes, size_t length) {
  const unsigned char *b = bytes;
  uint64_t h = 0xcbf29ce484222325u;
  for (size_t i = 0; i < length; i++) h = (h ^ b[i]) * 0x100000001b3u;
  return hash_mix(h, length);
}

uint64_t hash_text(const char *text) {
  return text ? hash_bytes(text, strlen(text)) : 7;
}

static uint64_t hash_object(json *j) {
  uint64_t sum = 1;
  json_object_object_foreach(j, key, value) {
    if (text_equal(key, "resourceVersion")) continue;
    sum += hash_mix(hash_text(key), hash_json(value));
  }
  return hash_mix(11, sum);
}

static uint64_t hash_array(json *j) {
  uint64_t h = 13;
  const size_t length = json_object_array_length(j);
  for (size_t i = 0; i < length; i++) h = hash_mix(h, hash_json(json_object_array_get_idx(j, i)));
  return h;
}

uint64_t hash_json(json *j) {
  switch (json_object_get_type(j)) {
    case json_type_null: return 3;
    case json_type_boolean: return json_object_get_boolean(j) ? 5 : 6;
    case json_type_int: return hash_mix(17, (uint64_t)json_object_get_int64(j));
    case json_type_double: {
      const double d = json_object_get_double(j);
      return hash_bytes(&d, sizeof(d));
    }
    case json_type_string: return hash_bytes(json_object_get_string(j), (size_t)json_object_get_string_len(j));
    case json_type_array: return hash_array(j);
    case json_type_object: return hash_object(j);
  }
  return 0;
}
