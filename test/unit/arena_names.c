#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arena/names.h"
#include "base/memory.h"

static const char uid_a[] = "0a1b2c3d-0000-4000-8000-000000000001", uid_b[] = "ffffffff-0000-4000-8000-000000000002";
static const char digest[] = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static void assert_label(const char *name, size_t max) {
  size_t length = strlen(name);
  assert_true(length > 0 && length <= max);
  assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"), length);
  assert_true(name[0] != '-' && name[length - 1] != '-');
}

static void test_children(void **state) {
  (void)state;
  char name[NAME_SIZE];
  name_build_job(name, "alice-1", 2);
  assert_string_equal(name, "alice-1-build-2");
  name_scan_job(name, "alice-1", 1);
  assert_string_equal(name, "alice-1-scan-1");
  name_source(name, "alice-1");
  assert_string_equal(name, "alice-1-source");
  name_agent_pod(name, "pong-abc", 1);
  assert_string_equal(name, "pong-abc-agent-1");
}

// No resource may have such a name, but its children's names would still be valid and different.
static void test_children_of_long_names(void **state) {
  (void)state;
  char longest[CR_NAME_MAX + 1], a[80], b[80], first[NAME_SIZE], second[NAME_SIZE];
  memset(longest, 'x', CR_NAME_MAX);
  longest[CR_NAME_MAX] = '\0';
  name_build_job(first, longest, 4);
  assert_int_equal(strlen(first), CR_NAME_MAX + 8);
  memset(a, 'x', sizeof(a));
  memset(a + 44, '-', 12);
  a[79] = '\0';
  memcpy(b, a, sizeof(a));
  b[78] = 'y';
  name_build_job(first, a, 1);
  name_build_job(second, b, 1);
  assert_label(first, NAME_MAX_LENGTH);
  assert_label(second, NAME_MAX_LENGTH);
  assert_string_not_equal(first, second);
}

static void test_match(void **state) {
  (void)state;
  char one[NAME_SIZE], two[NAME_SIZE];
  name_match(one, "pong", uid_a, 3, uid_b, 9);
  name_match(two, "pong", uid_b, 9, uid_a, 3);
  assert_string_equal(one, two);
  assert_label(one, CR_NAME_MAX);
  assert_int_equal(strncmp(one, "pong-", 5), 0);
  static const struct {
    const char *a;
    int64_t number_a;
    const char *b;
    int64_t number_b;
  } others[] = {{uid_a, 4, uid_b, 9}, {uid_a, 3, uid_b, 10}, {uid_a, 9, uid_b, 3}, {uid_a, 3, uid_a, 9}};
  for (size_t i = 0; i < array_size(others); i++) {
    name_match(two, "pong", others[i].a, others[i].number_a, others[i].b, others[i].number_b);
    assert_string_not_equal(one, two);
  }
  name_match(one, "a-very-long-environment-name-here--------that-goes-on", uid_a, 1, uid_b, 1);
  assert_label(one, CR_NAME_MAX);
  assert_null(strstr(one, "here--"));
  name_match(one, "", uid_a, 1, uid_b, 1);
  assert_label(one, CR_NAME_MAX);
}

static void test_image(void **state) {
  (void)state;
  char image[IMAGE_SIZE], registry[300];
  assert_true(name_image(image, "10.77.0.1:5000/agents", "rl-arena", "alice", 12, uid_a));
  assert_string_equal(image, "10.77.0.1:5000/agents/rl-arena/alice:v12-0a1b2c3d");
  memset(registry, 'r', sizeof(registry));
  registry[sizeof(registry) - 1] = '\0';
  assert_false(name_image(image, registry, "rl-arena", "alice", 1, uid_a));
}

static void test_image_by_digest(void **state) {
  (void)state;
  static const char old[] = "@sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
  static const char *const repositories[] = {"alice", "localhost/alice", "host:5000/alice", "[fd00::1]:5000/a/b"};
  static const char *const suffixes[] = {"", ":latest", ":v1-0a1b2c3d", old, ":v1@sha256:00"};
  char image[600], expected[600], got[IMAGE_SIZE];
  for (size_t i = 0; i < array_size(repositories); i++) {
    for (size_t k = 0; k < array_size(suffixes); k++) {
      snprintf(image, sizeof(image), "%s%s", repositories[i], suffixes[k]);
      snprintf(expected, sizeof(expected), "%s@%s", repositories[i], digest);
      assert_int_equal(name_image_by_digest(got, image, digest), 0);
      assert_string_equal(got, expected);
    }
  }
  static const char *const bad_images[] = {"", ":v1", "host:5000/", "host/:v1", old, NULL};
  for (size_t i = 0; i < array_size(bad_images); i++)
    assert_int_equal(name_image_by_digest(got, bad_images[i], digest), -1);
  static const char *const bad_digests[] = {"", "sha256:", "sha512:00", old + 2, NULL};
  for (size_t i = 0; i < array_size(bad_digests); i++)
    assert_int_equal(name_image_by_digest(got, "alice", bad_digests[i]), -1);
  memset(image, 'a', sizeof(image));
  image[IMAGE_SIZE - 1 - 72] = '\0';
  assert_int_equal(name_image_by_digest(got, image, digest), 0);
  assert_int_equal(strlen(got), IMAGE_SIZE - 1);
  image[IMAGE_SIZE - 1 - 72] = 'a';
  image[IMAGE_SIZE - 72] = '\0';
  assert_int_equal(name_image_by_digest(got, image, digest), -1);
}

static void test_seed(void **state) {
  (void)state;
  assert_int_equal(name_seed(uid_a), name_seed(uid_a));
  assert_int_not_equal(name_seed(uid_a), name_seed(uid_b));
  // The first 53 bits of SHA-256(""), e3b0c44298fc1c14...
  assert_int_equal(name_seed(""), INT64_C(0xe3b0c44298fc1c14 >> 11));
  assert_true(name_seed(uid_a) >= 0 && name_seed(uid_a) <= INT64_C(9007199254740991));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_children), cmocka_unit_test(test_children_of_long_names),
      cmocka_unit_test(test_match),    cmocka_unit_test(test_image),
      cmocka_unit_test(test_seed),     cmocka_unit_test(test_image_by_digest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
