#include "codec.h"

#include <string.h>

#include "base/memory.h"
#include "base/str.h"

int64_t codec_int64(json *o, const char *key, int64_t min, int64_t max, int64_t otherwise) {
  int64_t n = json_int(o, key, otherwise);
  if (n == otherwise) return n;
  return n < min ? min : n > max ? max : n;
}

int32_t codec_int32(json *o, const char *key, int32_t min, int32_t max, int32_t otherwise) {
  return (int32_t)codec_int64(o, key, min, max, otherwise);
}

int32_t codec_count(json *o, const char *key) {
  return codec_int32(o, key, 0, INT32_MAX, 0);
}

int codec_enum(json *o, const char *key, const char *const *words, int count, int otherwise) {
  const char *text = json_text(o, key);
  for (int i = 0; text && i < count; i++)
    if (strcmp(text, words[i]) == 0) return i;
  return otherwise;
}

void codec_add_text(json *o, const char *key, const char *text, size_t max) {
  if (text_empty(text)) return;
  char *bounded cleanup_free = text_bounded(text, max);
  json_add_text(o, key, bounded);
}

void codec_add_count(json *o, const char *key, int64_t n) {
  json_add_int(o, key, n > 0 ? n : 0);
}

void codec_add_nonzero(json *o, const char *key, int64_t n) {
  if (n != 0) json_add_int(o, key, n);
}

// In a merge patch a key that is not named stays: what `to` no longer has is named as null.
static void add_removals(json *patch, json *from, json *to) {
  json_object_object_foreach(from, key, value) {
    (void)value;
    if (!json_get(to, key)) json_add(patch, key, NULL);
  }
}

// A whole object that replaces `from`, in the words of a merge patch.
static json *replacement(json *from, json *to) {
  if (!json_object_is_type(from, json_type_object) || !json_object_is_type(to, json_type_object))
    return json_object_get(to);
  json *patch = json_new_object();
  json_object_object_foreach(to, key, value) json_add(patch, key, replacement(json_get(from, key), value));
  add_removals(patch, from, to);
  return patch;
}

json *codec_patch(json *take_from, json *take_to, bool everything) {
  json *from cleanup_json = take_from, *to cleanup_json = take_to;
  if (json_object_equal(from, to)) return NULL;
  json *patch = json_new_object();
  json *status = json_add_object(patch, "status");
  json_object_object_foreach(to, key, value) {
    json *old = json_get(from, key);
    if (everything || !old || !json_object_equal(old, value)) json_add(status, key, replacement(old, value));
  }
  add_removals(status, from, to);
  return patch;
}
