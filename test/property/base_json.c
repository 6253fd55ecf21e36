// JSON: random documents, whose members are known, and random damage.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/str.h"

#include "random.h"

static struct random r;

enum { MEMBERS = 8 };
enum type { NONE, NUL, BOOL, INT, DOUBLE, TEXT, TIME, OBJECT, ARRAY, TYPES };

// One object and, beside it, what was put in under "k0", "k1", ...
struct known {
  enum type type[MEMBERS];
  int64_t n[MEMBERS];
  double d[MEMBERS];
  char text[MEMBERS][32];
  size_t length[MEMBERS];
};

static const char *key_of(unsigned i, char ret[8]) {
  snprintf(ret, 8, "k%u", i);
  return ret;
}

static int64_t random_int(void) {
  uint64_t bits = (uint64_t)random_below(&r, UINT32_MAX) << 32 | random_below(&r, UINT32_MAX);
  return (int64_t)(bits >> random_below(&r, 64)) * (random_below(&r, 2) ? 1 : -1);
}

// Any character of ASCII but NUL, and some beyond.
static void random_text(char *ret, unsigned max) {
  static const char *const beyond[] = {"\xC3\xBC", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
  size_t length = 0;
  for (unsigned n = random_below(&r, max / 4); n > 0; n--) {
    if (random_below(&r, 4) == 0)
      length += (size_t)snprintf(ret + length, 5, "%s", beyond[random_below(&r, 3)]);
    else
      ret[length++] = (char)(1 + random_below(&r, 127));
  }
  ret[length] = '\0';
}

static json *random_value(unsigned depth);

static void add_member(json *o, struct known *k, unsigned i, unsigned depth) {
  char key[8];
  key_of(i, key);
  switch (k->type[i] = (enum type)random_below(&r, TYPES)) {
    case NUL: json_add(o, key, NULL); break;
    case BOOL: json_add_bool(o, key, (k->n[i] = random_below(&r, 2)) != 0); break;
    case INT: json_add_int(o, key, k->n[i] = random_int()); break;
    case DOUBLE:  // never a whole number: in JSON that would be an integer
      json_add_double(o, key, k->d[i] = (double)(int)random_int() / 65536 + 1.0 / 3);
      break;
    case TEXT:
      random_text(k->text[i], sizeof(k->text[i]));
      json_add_text(o, key, k->text[i]);
      break;
    case TIME: json_add_micro_time(o, key, k->n[i] = 1 + random_below(&r, 2000000000) * INT64_C(1000) + 7); break;
    case OBJECT: json_add_int(json_add_object(o, key), "inner", k->n[i] = random_int()); break;
    case ARRAY: {
      json *array = json_add_array(o, key);
      k->length[i] = random_below(&r, 5);
      for (size_t n = 0; n < k->length[i]; n++) json_push(array, random_value(depth));
      break;
    }
    default: break;
  }
}

// `depth`: how many more objects there may be inside.
static json *object_of(struct known *k, unsigned depth) {
  json *o = json_new_object();
  memset(k, 0, sizeof(*k));
  for (unsigned i = 0; i < MEMBERS; i++) add_member(o, k, i, depth);
  return o;
}

static json *random_object(struct known *k) {
  return object_of(k, 2);
}

static json *random_value(unsigned depth) {
  struct known ignored;
  if (depth > 0) return object_of(&ignored, depth - 1);
  json *value = json_new_array();
  json_push_text(value, "leaf");
  return value;
}

static json *print_and_parse(json *o) {
  cleanup_free char *text = json_print(o);
  struct error e;
  json *again = json_parse(text, strlen(text), &e);
  if (!again) fail_msg("%s: %s", e.text, text);
  return again;
}

// Every getter on every member: its own type's value, the default for all others.
static void check_member(json *o, const struct known *k, unsigned i) {
  char key[8];
  key_of(i, key);
  enum type t = k->type[i];
  assert_true(json_int(o, key, 4711) == (t == INT ? k->n[i] : 4711));
  assert_true(json_double(o, key, 4.5) == (t == DOUBLE ? k->d[i] : t == INT ? (double)k->n[i] : 4.5));
  assert_int_equal(json_bool(o, key, true), t == BOOL ? k->n[i] != 0 : true);
  assert_int_equal(json_bool(o, key, false), t == BOOL ? k->n[i] != 0 : false);
  if (t == TEXT)
    assert_string_equal(json_text(o, key), k->text[i]);
  else if (t != TIME)
    assert_null(json_text(o, key));
  if (t != TEXT) assert_true(json_time(o, key) == (t == TIME ? k->n[i] : 0));
  assert_int_equal(json_get(o, key) != NULL, t != NONE && t != NUL);
  assert_int_equal(json_length(json_get(o, key)), t == ARRAY ? k->length[i] : 0);
  assert_int_equal(json_item(json_get(o, key), k->length[i]) != NULL, false);
  assert_true(json_int(json_at(o, key, NULL), "inner", 1) == (t == OBJECT ? k->n[i] : 1));
}

static void what_was_added_is_read_from_the_text(void **state) {
  (void)state;
  for (int run = 0; run < 3000; run++) {
    struct known k;
    cleanup_json json *o = random_object(&k);
    cleanup_json json *again = print_and_parse(o);
    for (unsigned i = 0; i < MEMBERS; i++) check_member(again, &k, i);
  }
}

static void printing_is_stable(void **state) {
  (void)state;
  for (int run = 0; run < 1000; run++) {
    struct known k;
    cleanup_json json *o = random_object(&k);
    cleanup_json json *again = print_and_parse(o);
    cleanup_free char *first = json_print(o), *second = json_print(again);
    assert_string_equal(first, second);
  }
}

// Flips, cuts and inserts: refused with words, or a document that prints and reads as itself.
static void damage_is_refused_or_understood(void **state) {
  (void)state;
  static const char alphabet[] = "{}[]\",:\\u0123eE+-.ntf \x01\xFF\x80";
  for (int run = 0; run < 20000; run++) {
    struct known k;
    cleanup_json json *o = random_object(&k);
    cleanup_free char *text = json_print(o);
    size_t length = strlen(text);
    for (unsigned n = 1 + random_below(&r, 3); n > 0; n--)
      text[random_below(&r, (unsigned)length)] = alphabet[random_below(&r, sizeof(alphabet) - 1)];
    if (random_below(&r, 3) == 0) length = random_below(&r, (unsigned)length + 1);
    struct error e = {0};
    cleanup_json json *damaged = json_parse(text, length, &e);
    assert_int_equal(e.code, damaged ? ERR_NONE : ERR_INVALID);
    if (!damaged) continue;
    cleanup_json json *again = print_and_parse(damaged);
    assert_true(json_object_equal(damaged, again));
  }
}

static void every_proper_prefix_is_refused(void **state) {
  (void)state;
  for (int run = 0; run < 100; run++) {
    struct known k;
    cleanup_json json *o = random_object(&k);
    cleanup_free char *text = json_print(o);
    size_t length = strlen(text);
    for (size_t cut = 0; cut < length; cut += 1 + random_below(&r, 5)) {
      struct error e;
      assert_null(json_parse(text, cut, &e));
      assert_int_equal(e.code, ERR_INVALID);
    }
  }
}

int main(void) {
  r.state = random_seed();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_was_added_is_read_from_the_text),
      cmocka_unit_test(printing_is_stable),
      cmocka_unit_test(damage_is_refused_or_understood),
      cmocka_unit_test(every_proper_prefix_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
