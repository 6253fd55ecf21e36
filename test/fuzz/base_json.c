// Any bytes as JSON: a document that every getter can be asked about and that prints as what it was, or a sentence.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

#include "target.h"

static void ask(json *o, const char *key) {
  const char *text = json_text(o, key);
  cleanup_free char *copy = json_text_copy(o, key);
  if ((text == NULL) != (copy == NULL) || (text && strcmp(text, copy) != 0)) abort();
  int64_t n = json_int(o, key, 7);
  bool is_int = json_object_is_type(json_get(o, key), json_type_int);
  if (!is_int && n != 7) abort();
  if (!isfinite(json_double(o, key, 1))) abort();
  if (json_bool(o, key, true) != json_bool(o, key, false) && json_object_is_type(json_get(o, key), json_type_boolean))
    abort();
  msec t = json_time(o, key);
  if (t && !text) abort();
  if (json_at(o, key, NULL) != json_get(o, key)) abort();
}

static void walk(json *o) {
  ask(o, "no such key");
  size_t length = json_length(o);
  if (json_item(o, length)) abort();
  for (size_t i = 0; i < length; i++) walk(json_item(o, i));
  if (!json_object_is_type(o, json_type_object)) return;
  json_object_object_foreach(o, key, value) {
    ask(o, key);
    walk(value);
  }
}

static void empty(json *o) {
  for (size_t i = 0; i < json_length(o); i++) empty(json_item(o, i));
  if (!json_object_is_type(o, json_type_object)) return;
  json_object_object_foreach(o, key, value) {
    if (strcmp(key, "a") == 0 && json_object_is_type(value, json_type_array))
      json_object_object_add(o, key, json_object_new_array());
    else if (strcmp(key, "a") == 0 && json_object_is_type(value, json_type_object))
      json_object_object_add(o, key, json_object_new_object());
    else
      empty(value);
  }
}

static const char *const skipped[] = {"a", NULL};

// Reading without what a key holds is reading, and then emptying it.
static void leave_out(json *o, const char *text) {
  cleanup_json json *less = json_parse_without(text, strlen(text), skipped, NULL);
  empty(o);
  cleanup_free char *read = less ? json_print(less) : NULL, *emptied = json_print(o);
  if (!read || strcmp(read, emptied) != 0) abort();  // not json_object_equal: NaN is no NaN
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct error e = {0};
  cleanup_json json *part = json_parse_without((const char *)data, size, skipped, NULL);
  (void)part;  // whatever it is
  cleanup_json json *o = json_parse((const char *)data, size, &e);
  if ((o == NULL) != (e.code != ERR_NONE) || (e.code != ERR_NONE) != (e.text[0] != 0)) abort();
  if (!o) return 0;
  walk(o);
  cleanup_free char *text = json_print(o);
  cleanup_json json *again = json_parse(text, strlen(text), &e);
  cleanup_free char *second = again ? json_print(again) : NULL;
  if (!second || strcmp(text, second) != 0) abort();
  leave_out(again, text);
  return 0;
}
