// The splitter against json-c: random documents in random pieces give the values that json-c finds in the whole, and a
// damaged document is refused exactly where json-c refuses it.
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/str.h"

#include "random.h"
#include "splitter.h"
#include "utf8.h"

static struct random r;

static const splitter_path PATHS[] = {{"a"}, {"b", "a"}, {"c", "*"}, {"b", "*"}, {"c", "*", "b", "*"}, {"*"}};

static json *random_value(unsigned depth) {
  static const char *const keys[] = {"a", "b", "c", "d"};
  static const char *const texts[] = {"", "x", "a\"b\\c/", "\n\t\x01", "\xc3\xa9", "\xf0\x9f\x98\x80", "{}[],:\""};
  unsigned kind = random_below(&r, depth > 0 ? 9 : 6);
  if (kind == 0) return NULL;
  if (kind == 1) return json_object_new_boolean(random_below(&r, 2) != 0);
  if (kind == 2) return json_object_new_int64((int64_t)random_below(&r, 1000) - 500);
  if (kind == 3) return json_object_new_double((double)random_below(&r, 1000) / 8 - 3);
  if (kind < 6) return json_object_new_string(texts[random_below(&r, array_size(texts))]);
  json *o = kind < 8 ? json_new_object() : json_new_array();
  for (unsigned n = random_below(&r, 5); n > 0; n--) {
    json *inner = random_value(depth - 1);
    if (kind < 8) {
      json_object_object_add(o, keys[random_below(&r, array_size(keys))], inner);
    } else {
      json_push(o, inner);
    }
  }
  return o;
}

// What the splitter makes of a value: containers inside it are null.
static json *flat(json *value) {
  if (json_object_is_type(value, json_type_object)) {
    json *o = json_new_object();
    json_object_object_foreach(value, key, inner) {
      bool container = json_object_is_type(inner, json_type_object) || json_object_is_type(inner, json_type_array);
      json_object_object_add(o, key, container ? NULL : json_object_get(inner));
    }
    return o;
  }
  if (json_object_is_type(value, json_type_array)) {
    json *o = json_new_array();
    for (size_t i = 0; i < json_length(value); i++) {
      json *inner = json_item(value, i);
      bool container = json_object_is_type(inner, json_type_object) || json_object_is_type(inner, json_type_array);
      json_push(o, container ? NULL : json_object_get(inner));
    }
    return o;
  }
  return json_object_get(value);
}

static void add_line(struct str *s, size_t path, json *value) {
  str_add_format(s, "%zu %s\n", path, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
}

static bool matches(const splitter_path path, const char *const *keys, size_t depth) {
  for (size_t i = 0; i < depth; i++) {
    if (!path[i] || strcmp(path[i], keys[i]) != 0) return false;
  }
  return path[depth] == NULL;
}

// The values that the paths name, in the order of the document; a value inside a wanted one is not wanted again.
static void expect(json *value, const char **keys, size_t depth, struct str *ret) {
  if (depth > SPLITTER_PATH) return;
  for (size_t i = 0; i < array_size(PATHS); i++) {
    if (!matches(PATHS[i], keys, depth)) continue;
    json *small = flat(value);
    add_line(ret, i, small);
    json_object_put(small);
    return;
  }
  if (depth == SPLITTER_PATH) return;
  if (json_object_is_type(value, json_type_object)) {
    json_object_object_foreach(value, key, inner) {
      keys[depth] = key;
      expect(inner, keys, depth + 1, ret);
    }
  } else if (json_object_is_type(value, json_type_array)) {
    for (size_t i = 0; i < json_length(value); i++) {
      keys[depth] = "*";
      expect(json_item(value, i), keys, depth + 1, ret);
    }
  }
}

static bool note(void *context, size_t path, const char *text, size_t length, struct fault *f) {
  (void)f;
  struct error e;
  cleanup_json json *value = json_parse(text, length, &e);
  if (!value && strcmp(text, "null") != 0) fail_msg("%s: %s", text, e.text);
  add_line(context, path, value);
  return true;
}

static bool split(const char *text, size_t length, struct str *found) {
  struct fault f = {0};
  struct splitter *s = splitter_new(PATHS, array_size(PATHS), note, found);
  unsigned largest = 1 + random_below(&r, 40);
  bool ok = true;
  for (size_t at = 0; ok && at < length;) {
    size_t n = 1 + random_below(&r, largest);
    if (n > length - at) n = length - at;
    // An exact copy: reading beyond a piece is seen by the sanitizer.
    cleanup_free char *piece = mem_alloc(n);
    memcpy(piece, text + at, n);
    ok = splitter_feed(s, piece, n, &f);
    at += n;
  }
  ok = ok && splitter_end(s, &f);
  splitter_free(s);
  return ok;
}

static void values_are_found(void **state) {
  (void)state;
  for (int round = 0; round < 3000; round++) {
    cleanup_json json *o = random_value(5);
    if (!o) continue;
    int style = random_below(&r, 2) ? JSON_C_TO_STRING_PRETTY : JSON_C_TO_STRING_PLAIN;
    const char *text = json_object_to_json_string_ext(o, style);
    struct str cleanup_str want = STR_INIT(1 << 20), found = STR_INIT(1 << 20);
    const char *keys[SPLITTER_PATH + 1];
    expect(o, keys, 0, &want);
    if (!split(text, strlen(text), &found)) fail_msg("refused: %s", text);
    assert_string_equal(str_text(&found), str_text(&want));
  }
}

// json-c takes "1.", "-.1" and "01" for numbers, the splitter does not.
static bool has_odd_number(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    bool digit_next = i + 1 < length && isdigit((unsigned char)text[i + 1]);
    bool digit_before = i > 0 && isdigit((unsigned char)text[i - 1]);
    if (text[i] == '.' && !(digit_before && digit_next)) return true;
    bool inside = i > 0 && (isalnum((unsigned char)text[i - 1]) || strchr(".+", text[i - 1]));
    if (text[i] == '0' && digit_next && !inside) return true;
  }
  return false;
}

static void damage_is_seen(void **state) {
  (void)state;
  static const char alphabet[] = "{}[],:\"\\ 0123456789truefalsn.-+eEx/u";
  for (int round = 0; round < 20000; round++) {
    cleanup_json json *o = random_value(3);
    if (!o) continue;
    cleanup_free char *text = mem_strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    size_t length = strlen(text);
    if (length == 0) continue;
    for (unsigned n = 1 + random_below(&r, 2); n > 0; n--) {
      text[random_below(&r, (unsigned)length)] = alphabet[random_below(&r, sizeof alphabet - 1)];
    }
    if (random_below(&r, 4) == 0) length -= random_below(&r, (unsigned)length);
    // Bytes that are no UTF-8 are replaced by the splitter and refused by json-c.
    if (!utf8_valid(text, length)) continue;
    struct error e = {0};
    cleanup_json json *whole = json_parse(text, length, &e);
    bool null = strstr(e.text, "the document is null") != NULL;
    struct str cleanup_str found = STR_INIT(1 << 20);
    bool ok = split(text, length, &found);
    if (!ok && whole && has_odd_number(text, length)) continue;
    if (ok != (whole != NULL) && !null) fail_msg("%d, but json-c: %.*s (%s)", ok, (int)length, text, e.text);
  }
}

int main(void) {
  r.state = random_seed();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_are_found),
      cmocka_unit_test(damage_is_seen),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
