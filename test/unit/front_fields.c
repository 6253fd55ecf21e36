// What may be in names, addresses and links.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#include "fields.h"
#include "object_names.h"

static void user_names(void **state) {
  (void)state;
  char name[USERNAME_SIZE];
  assert_true(field_username("Alice-B_2", name));
  assert_string_equal(name, "alice-b_2");
  static const char *const bad[] = {"",      "ab",    "-abc", "abc-",    "_abc",         "a b c",
                                    "a.b.c", "a/b",   "ad@m", "al\nice", "\xC3\xA4lice", "admin\xE2\x80\x8B",
                                    "a'--",  "%00abc"};
  for (size_t i = 0; i < array_size(bad); i++) assert_false(field_username(bad[i], name));
  char longest[52];
  memset(longest, 'a', 51);
  longest[51] = 0;
  assert_false(field_username(longest, name));
  longest[50] = 0;
  assert_true(field_username(longest, name));
}

static void addresses(void **state) {
  (void)state;
  static const char *const good[] = {"a@b.c", "first.last+tag@mail.example.org", "x_y@sub.example.com",
                                     ("j\xC3\xB6rg@b\xC3\xBC"
                                      "cher.example")};
  static const char *const bad[] = {"",
                                    "a",
                                    "a@b",
                                    "@b.c",
                                    "a@",
                                    "a@@b.c",
                                    "a b@c.d",
                                    "a@b..c",
                                    "a@.b.c",
                                    "a@b.c\n",
                                    "<a@b.c>",
                                    "a,b@c.d",
                                    "a@b.c;x@y.z",
                                    "a@b.",
                                    "a@b.c\x7F",
                                    ("a@b.\xE2\x80\xAE"
                                     "c")};
  for (size_t i = 0; i < array_size(good); i++) assert_true(field_is_email(good[i]));
  for (size_t i = 0; i < array_size(bad); i++) assert_false(field_is_email(bad[i]));
}

static void links(void **state) {
  (void)state;
  static const char *const good[] = {"https://example.com/a.png?x=1&y=2", "http://10.0.0.1:8080/", "https://[::1]/"};
  static const char *const bad[] = {"",           "javascript:alert(1)", "data:text/html,x",   "//example.com/x",
                                    "https://",   "https://a b",         "https://a\"onload=", "ftp://example.com",
                                    "https:///x", " https://x"};
  for (size_t i = 0; i < array_size(good); i++) assert_true(field_is_link(good[i]));
  for (size_t i = 0; i < array_size(bad); i++) assert_false(field_is_link(bad[i]));
}

static void lines(void **state) {
  (void)state;
  assert_null(field_line_problem("Deep \xF0\x9F\xA4\x96 Pong \xE4\xB8\x83"));
  assert_null(field_line_problem("\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB"));  // joined by U+200D
  assert_string_equal(field_line_problem("a\nb"), "without control characters");
  assert_string_equal(field_line_problem("a\xC2\x85"
                                         "b"),
                      "without control characters");
  assert_string_equal(field_line_problem("a\xE2\x80\xAE"
                                         "b"),
                      "without characters that change the direction of the text");
  assert_string_equal(field_line_problem("a\xE2\x80\xA8"
                                         "b"),
                      "one line");
  assert_string_equal(field_line_problem("a\xC3"), "valid UTF-8");
  assert_string_equal(field_line_problem("\xED\xA0\x80"), "valid UTF-8");  // half of a surrogate pair
  assert_string_equal(field_line_problem("\xEF\xBF\xBF"), "without control characters");
  assert_null(field_lines_problem("a\r\n\tb"));
  assert_non_null(field_lines_problem("a\x1B[31m"));
  assert_int_equal(field_characters("\xF0\x9F\xA4\x96 a"), 3);
}

static void names_of_agents(void **state) {
  (void)state;
  char a[NAME_SIZE], b[NAME_SIZE];
  object_name_agent(a, "alice", "Deep Pong! (v2)", 0);
  assert_true(strncmp(a, "deep-pong-v2-", 13) == 0 && strlen(a) == 19);
  object_name_agent(b, "alice", "Deep Pong! (v2)", 0);
  assert_string_equal(a, b);
  object_name_agent(b, "alice", "Deep Pong! (v2)", 1);
  assert_string_not_equal(a, b);
  object_name_agent(b, "bob", "Deep Pong! (v2)", 0);
  assert_string_not_equal(a, b);
  object_name_agent(b, "alice", "\xF0\x9F\xA4\x96", 0);
  assert_true(strncmp(b, "agent-", 6) == 0);
  char name[101];
  memset(name, '7', 100);
  name[100] = 0;
  object_name_agent(b, "alice", name, 0);
  assert_int_equal(strlen(b), 47);
  memset(name, '-', 39);
  object_name_agent(b, "alice", name, 0);
  assert_true(b[0] == '7');
}

static void names_of_matches(void **state) {
  (void)state;
  char a[NAME_SIZE], b[NAME_SIZE];
  object_name_match(a, "alice", NULL);
  object_name_match(b, "alice", NULL);
  assert_string_not_equal(a, b);
  assert_int_equal(strlen(a), 22);
  object_name_match(a, "alice", "key");
  object_name_match(b, "alice", "key");
  assert_string_equal(a, b);
  object_name_match(b, "bob", "key");
  assert_string_not_equal(a, b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(user_names), cmocka_unit_test(addresses),       cmocka_unit_test(links),
      cmocka_unit_test(lines),      cmocka_unit_test(names_of_agents), cmocka_unit_test(names_of_matches),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
