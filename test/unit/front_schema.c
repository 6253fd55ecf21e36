// What a body must be, and in which words it is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#include "schema.h"

static const struct schema_text texts[] = {
    {"Person",
     "{\"type\":\"object\",\"required\":[\"name\"],\"additionalProperties\":false,\"properties\":{"
     "\"name\":{\"type\":\"string\",\"minLength\":3,\"maxLength\":5,\"pattern\":\"^[a-z]+$\"},"
     "\"mail\":{\"type\":\"string\",\"format\":\"email\"},"
     "\"id\":{\"type\":\"string\",\"format\":\"uuid\"},"
     "\"page\":{\"type\":[\"string\",\"null\"],\"format\":\"uri\"},"
     "\"since\":{\"type\":\"string\",\"format\":\"date-time\"},"
     "\"age\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":150},"
     "\"size\":{\"type\":\"number\"},"
     "\"kind\":{\"enum\":[\"a\",\"b\"]},"
     "\"code\":{\"type\":\"string\",\"pattern\":\"^[0-9]+$\",\"description\":\"digits\"},"
     "\"friends\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":2,\"items\":{\"$ref\":\"#/components/schemas/"
     "Friend\"}},"
     "\"map\":{\"type\":\"object\",\"maxProperties\":1,\"additionalProperties\":{\"type\":\"boolean\"}}}}"},
    {"Friend",
     "{\"type\":\"object\",\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\",\"minLength\":1}}}"},
    {"Either",
     "{\"oneOf\":[{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{}}},"
     "{\"type\":\"object\",\"required\":[\"b\"],\"properties\":{\"b\":{}}}]}"},
};

static struct schemas *all;

static int setup(void **state) {
  (void)state;
  all = schemas_new(texts, array_size(texts));
  return 0;
}

static int teardown(void **state) {
  (void)state;
  schemas_free(all);
  return 0;
}

static void check_against(const char *schema, const char *text, const char *field, const char *why) {
  struct error e = {0};
  cleanup_json json *value = json_parse(text, strlen(text), &e);
  if (!value && strcmp(text, "null") != 0) fail_msg("%s: %s", text, e.text);
  struct str ret_field = STR_INIT(128), ret_why = STR_INIT(SCHEMA_WHY_MAX);
  bool good = schema_check(schemas_find(all, schema), value, &ret_field, &ret_why);
  if (good != (why == NULL)) fail_msg("%s: %s", text, good ? "is taken" : str_text(&ret_why));
  if (why) {
    assert_string_equal(str_text(&ret_field), field);
    assert_string_equal(str_text(&ret_why), why);
  } else {
    assert_string_equal(str_text(&ret_field), "");
  }
  str_done(&ret_field);
  str_done(&ret_why);
}

static void good(const char *text) {
  check_against("Person", text, NULL, NULL);
}

static void bad(const char *text, const char *field, const char *why) {
  check_against("Person", text, field, why);
}

static void what_fits_is_taken(void **state) {
  (void)state;
  good("{\"name\":\"abc\"}");
  good(
      "{\"name\":\"abcde\",\"mail\":\"a.b+c@d.example\",\"id\":\"0189f7d2-9c1a-7c3e-8a55-0123456789AB\",\"page\":null,"
      "\"since\":\"2026-01-02T03:04:05Z\",\"age\":150,\"size\":1.5,\"kind\":\"b\",\"friends\":[{\"name\":\"x\",\"y\":1}"
      ","
      "{\"name\":\"z\"}],\"map\":{\"k\":true}}");
  good("{\"name\":\"abc\",\"age\":3.0,\"size\":3}");
}

static void what_does_not_is_named(void **state) {
  (void)state;
  bad("[]", "", "must be an object");
  bad("{}", "name", "is missing");
  bad("{\"name\":null}", "name", "must be a text");
  bad("{\"name\":\"ab\"}", "name", "must have at least 3 characters");
  bad("{\"name\":\"abcdef\"}", "name", "must have at most 5 characters");
  bad("{\"name\":\"ABC\"}", "name", "has characters or a form that are not allowed");
  bad("{\"name\":\"abc\",\"code\":\"x\"}", "code", "must be: digits");
  bad("{\"name\":\"abc\",\"more\":1}", "more", "is not known here");
  bad("{\"name\":\"abc\",\"mail\":\"a@b\"}", "mail", "must be an e-mail address");
  bad("{\"name\":\"abc\",\"mail\":\"a b@c.d\"}", "mail", "must be an e-mail address");
  bad("{\"name\":\"abc\",\"id\":\"1\"}", "id", "must be a UUID");
  bad("{\"name\":\"abc\",\"page\":\"javascript:alert(1)\"}", "page",
      "must be a URL such as https://example.com/file.zip");
  bad("{\"name\":\"abc\",\"since\":\"yesterday\"}", "since", "must be a time such as 2026-01-02T03:04:05Z");
  bad("{\"name\":\"abc\",\"age\":1.5}", "age", "must be a whole number");
  bad("{\"name\":\"abc\",\"age\":\"7\"}", "age", "must be a whole number");
  bad("{\"name\":\"abc\",\"age\":-1}", "age", "must be at least 0");
  bad("{\"name\":\"abc\",\"age\":151}", "age", "must be at most 150");
  bad("{\"name\":\"abc\",\"size\":NaN}", "size", "must be a number");
  bad("{\"name\":\"abc\",\"kind\":\"c\"}", "kind", "must be one of: a, b");
  bad("{\"name\":\"abc\",\"friends\":[]}", "friends", "must have at least 1 item");
  bad("{\"name\":\"abc\",\"friends\":[{\"name\":\"x\"},{}]}", "friends[1].name", "is missing");
  bad("{\"name\":\"abc\",\"friends\":[{\"name\":\"\"}]}", "friends[0].name", "must not be empty");
  bad("{\"name\":\"abc\",\"map\":{\"k\":1}}", "map.k", "must be true or false");
  bad("{\"name\":\"abc\",\"map\":{\"k\":true,\"l\":true}}", "map", "must have at most 1 field");
}

static void characters_are_counted_and_not_bytes(void **state) {
  (void)state;
  static const struct schema_text wide[] = {{"T", "{\"type\":\"string\",\"maxLength\":3}"}};
  struct schemas *s = schemas_new(wide, 1);
  struct str why = STR_INIT(SCHEMA_WHY_MAX);
  assert_true(schema_check_text(schemas_find(s, "T"), "äöü", &why));
  assert_false(schema_check_text(schemas_find(s, "T"), "äöüß", &why));
  str_done(&why);
  schemas_free(s);
}

static void a_nul_inside_a_text_is_refused(void **state) {
  (void)state;
  bad("{\"name\":\"abc\\u0000\"}", "name", "must not have a NUL character");
}

static void one_of_several_forms(void **state) {
  (void)state;
  check_against("Either", "{\"a\":1}", NULL, NULL);
  check_against("Either", "{\"b\":1}", NULL, NULL);
  check_against("Either", "{}", "a", "is missing");
  check_against("Either", "{\"a\":1,\"b\":1}", "", "fits more than one of the forms that are possible here");
}

static void a_text_of_a_query_is_read_as_its_type(void **state) {
  (void)state;
  struct str why = STR_INIT(SCHEMA_WHY_MAX);
  const struct schema *number = schemas_inline(all, "{\"type\":\"integer\",\"minimum\":1,\"maximum\":100}");
  static const char *const wrong[] = {
      "", "x", "1x", " 1", "1 ", "+1", "0", "101", "-1", "1.5", "0x10", "99999999999999999999", "nan", "1e400"};
  assert_true(schema_check_text(number, "1", &why));
  assert_true(schema_check_text(number, "100", &why));
  for (unsigned i = 0; i < array_size(wrong); i++)
    if (schema_check_text(number, wrong[i], &why)) fail_msg("%s is taken", wrong[i]);
  const struct schema *yes = schemas_inline(all, "{\"type\":\"boolean\"}");
  assert_true(schema_check_text(yes, "true", &why));
  assert_true(schema_check_text(yes, "0", &why));
  assert_false(schema_check_text(yes, "yes", &why));
  assert_ptr_equal(number, schemas_inline(all, "{\"type\":\"integer\",\"minimum\":1,\"maximum\":100}"));
  str_done(&why);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_fits_is_taken),
      cmocka_unit_test(what_does_not_is_named),
      cmocka_unit_test(characters_are_counted_and_not_bytes),
      cmocka_unit_test(a_nul_inside_a_text_is_refused),
      cmocka_unit_test(one_of_several_forms),
      cmocka_unit_test(a_text_of_a_query_is_read_as_its_type),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
