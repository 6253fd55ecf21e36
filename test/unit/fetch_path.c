// Names and links of a source: which are normalized, which are refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#include "path.h"

static void names_are_normalized(void **state) {
  (void)state;
  static const struct {
    const char *name, *want;
    size_t depth;
  } cases[] = {
      {"a", "a", 1},
      {"a/b", "a/b", 2},
      {"./a", "a", 1},
      {"a//b/", "a/b", 2},
      {"./././a/./b/.", "a/b", 2},
      {".", "", 0},
      {"./", "", 0},
      {"...", "...", 1},
      {"..a", "..a", 1},
      {"a..", "a..", 1},
      {".git/x", ".git/x", 2},
      {"a b", "a b", 1},
      {"\xc3\xa9/\xf0\x9f\x8f\x93", "\xc3\xa9/\xf0\x9f\x8f\x93", 2},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    struct fault f = {0};
    char path[PATH_MAX_BYTES + 1];
    if (!path_normalize(cases[i].name, path, &f)) fail_msg("%s: %s", cases[i].name, f.message);
    assert_string_equal(path, cases[i].want);
    assert_int_equal(path_depth(path), cases[i].depth);
  }
}

static void refused(const char *name) {
  struct fault f = {0};
  char path[PATH_MAX_BYTES + 1] = "untouched";
  if (path_normalize(name, path, &f)) fail_msg("%s became %s", name, path);
  assert_string_equal(path, "untouched");
  assert_int_equal(f.kind, FAULT_REFUSED);
  assert_string_equal(f.reason, "UnsafePath");
}

static void unsafe_names_are_refused(void **state) {
  (void)state;
  static const char *const names[] = {
      "",       "/",        "/a",   "//a",   "..",       "../a",         "a/..",
      "a/../b", "a/./../b", "./..", "a\\b",  "\\",       "a\nb",         "a\tb",
      "\x01",   "\x7f",     "\xff", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
      "\x80",
  };
  for (size_t i = 0; i < array_size(names); i++) refused(names[i]);
}

static void sizes_are_bounded(void **state) {
  (void)state;
  char name[PATH_MAX_BYTES + 3], path[PATH_MAX_BYTES + 1];
  struct fault f = {0};
  memset(name, 'n', 256);
  name[256] = '\0';
  refused(name);
  name[255] = '\0';
  assert_true(path_normalize(name, path, &f));

  // 32 folders are as deep as it goes; their separators do not count.
  for (int i = 0; i < 33; i++) memcpy(name + 3 * i, "d//", 4);
  refused(name);
  name[3 * 32] = '\0';
  assert_true(path_normalize(name, path, &f));
  assert_int_equal(path_depth(path), 32);

  for (size_t i = 0; i <= PATH_MAX_BYTES + 1; i++) name[i] = i % 200 == 199 ? '/' : 'n';
  name[PATH_MAX_BYTES + 1] = '\0';
  refused(name);
  name[PATH_MAX_BYTES] = '\0';
  assert_true(path_normalize(name, path, &f));
}

static void links_stay_inside(void **state) {
  (void)state;
  static const struct {
    const char *path, *target;
    bool inside;
    size_t climb;
  } cases[] = {
      {"l", "a", true, 0},
      {"l", "a/b", true, 0},
      {"l", ".", true, 0},
      {"l", "./a/.", true, 0},
      {"a/l", "../b", true, 1},
      {"a/b/l", "../../c", true, 2},
      {"a/b/l", "./.././../c", true, 2},
      {"a/l", "..", true, 1},
      {"l", "..", false, 0},
      {"l", "../a", false, 0},
      {"a/l", "../..", false, 0},
      {"a/l", "../../a", false, 0},
      {"l", "/", false, 0},
      {"l", "/etc", false, 0},
      {"l", "", false, 0},
      {"a/b/l", "c/../d", false, 0},
      {"a/l", "b/..", false, 0},
      {"a/l", "../b/../c", false, 0},
      {"l", "a\\b", false, 0},
      {"l", "\xff", false, 0},
      {"l", "a\nb", false, 0},
      {"a/l", "...", true, 0},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    struct fault f = {0};
    size_t climb = 99;
    bool inside = path_link_inside(cases[i].path, cases[i].target, &climb, &f);
    if (inside != cases[i].inside) fail_msg("%s -> %s: %s", cases[i].path, cases[i].target, f.message);
    if (inside) assert_int_equal(climb, cases[i].climb);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_are_normalized),
      cmocka_unit_test(unsafe_names_are_refused),
      cmocka_unit_test(sizes_are_bounded),
      cmocka_unit_test(links_stay_inside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
