// The cache's rules, one by one: what replaces what, and what stays gone.
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"

#include "store.h"

struct thing {
  struct meta meta;
  char *value;
};

static bool thing_decode(json *object, void *ret, struct error *e) {
  struct thing *t = ret;
  t->value = json_text_copy(object, "value");
  if (!text_equal(t->value, "bad")) return true;
  error_set(e, ERR_INVALID, "a bad value");
  return false;
}

static void thing_owned(struct owned *o, void *object) {
  struct thing *t = object;
  meta_owned(o, &t->meta);
  owned_text(o, &t->value);
}

static const struct kube_kind thing_kind = {"", "v1", "things", "Thing", false};
static const struct cache_type thing_type = {
    .kind = &thing_kind, .size = sizeof(struct thing), .decode = thing_decode, .owned = thing_owned};

static json *thing_json(const char *name, const char *uid, uint64_t version, const char *value) {
  cleanup_free char *text =
      mem_printf("{\"metadata\":{\"namespace\":\"n\",\"name\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"%" PRIu64
                 "\"},\"value\":\"%s\"}",
                 name, uid, version, value);
  struct error e = {0};
  json *o = json_parse(text, strlen(text), &e);
  assert_non_null(o);
  return o;
}

// The changes, as "+name=value " "name:old>new " "-name ".
struct fixture {
  struct store *store;
  struct str log;
};

static void on_change(void *context, const void *before, const void *after) {
  struct fixture *f = context;
  const struct thing *b = before, *a = after;
  if (b == NULL)
    str_add_format(&f->log, "+%s=%s ", a->meta.name, a->value);
  else if (a == NULL)
    str_add_format(&f->log, "-%s ", b->meta.name);
  else
    str_add_format(&f->log, "%s:%s>%s ", a->meta.name, b->value, a->value);
}

static int setup(void **state) {
  struct fixture *f = mem_alloc(sizeof *f);
  f->store = store_new(&thing_type, on_change, f);
  f->log = STR_INIT(10000);
  log_setup(LOG_ERROR, LOG_TEXT);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  store_free(f->store);
  str_done(&f->log);
  free(f);
  return 0;
}

static void expect(struct fixture *f, const char *changes) {
  assert_string_equal(str_text(&f->log), changes);
  str_clear(&f->log);
}

static void event(struct fixture *f, enum watch_type type, const char *name, const char *uid, uint64_t version,
                  const char *value) {
  cleanup_json json *o = thing_json(name, uid, version, value);
  assert_int_equal(store_event(f->store, type, o, NULL), ERR_NONE);
}

static void observe(struct fixture *f, const char *name, const char *uid, uint64_t version, const char *value) {
  cleanup_json json *o = thing_json(name, uid, version, value);
  store_observe(f->store, o);
}

static void listed(struct fixture *f, const char *name, const char *uid, uint64_t version, const char *value) {
  cleanup_json json *o = thing_json(name, uid, version, value);
  store_list_add(f->store, o);
}

static void unlisted(struct fixture *f, const char *name, const char *uid, uint64_t version) {
  cleanup_json json *o = thing_json(name, uid, version, "last");
  assert_int_equal(store_list_event(f->store, WATCH_DELETED, o, NULL), ERR_NONE);
}

static void end_list(struct fixture *f, uint64_t version) {
  assert_int_equal(store_list_end(f->store, version, NULL), ERR_NONE);
}

static void test_list_then_watch(void **state) {
  struct fixture *f = *state;
  store_list_begin(f->store);
  listed(f, "a", "1", 3, "x");
  listed(f, "b", "2", 4, "y");
  expect(f, "");  // nothing before the end
  end_list(f, 10);
  expect(f, "+a=x +b=y ");
  event(f, WATCH_MODIFIED, "a", "1", 11, "z");
  event(f, WATCH_ADDED, "c", "3", 12, "w");
  event(f, WATCH_DELETED, "b", "2", 13, "y");
  expect(f, "a:x>z +c=w -b ");
  event(f, WATCH_MODIFIED, "a", "1", 11, "old");  // again
  expect(f, "");
  assert_int_equal(store_version(f->store), 13);
  static const char bookmark_text[] = "{\"metadata\":{\"resourceVersion\":\"20\"}}";
  cleanup_json json *bookmark = json_parse(bookmark_text, strlen(bookmark_text), NULL);
  assert_int_equal(store_event(f->store, WATCH_BOOKMARK, bookmark, NULL), ERR_NONE);
  assert_int_equal(store_version(f->store), 20);
  assert_int_equal(store_count(f->store), 2);
}

static void test_relist(void **state) {
  struct fixture *f = *state;
  store_list_begin(f->store);
  listed(f, "a", "1", 3, "x");
  listed(f, "b", "2", 4, "y");
  listed(f, "c", "3", 5, "z");
  end_list(f, 10);
  expect(f, "+a=x +b=y +c=z ");
  store_list_begin(f->store);
  listed(f, "a", "1", 3, "x");   // same
  listed(f, "c", "4", 15, "q");  // another of the name
  listed(f, "d", "5", 16, "n");
  end_list(f, 20);
  expect(f, "-b -c +c=q +d=n ");

  store_list_begin(f->store);
  struct error e = {0};
  assert_int_equal(store_list_end(f->store, 19, &e), ERR_CONFLICT);  // older: nothing happens
  expect(f, "");
  assert_int_equal(store_count(f->store), 3);
}

static void test_changes_while_a_list_is_told(void **state) {
  struct fixture *f = *state;
  store_list_begin(f->store);
  listed(f, "a", "1", 3, "x");
  listed(f, "b", "2", 4, "y");
  listed(f, "c", "3", 5, "z");
  cleanup_json json *modified = thing_json("a", "1", 11, "newer");
  assert_int_equal(store_list_event(f->store, WATCH_MODIFIED, modified, NULL), ERR_NONE);
  cleanup_json json *nameless = json_parse("{\"metadata\":{}}", 15, NULL);
  assert_int_equal(store_list_event(f->store, WATCH_MODIFIED, nameless, NULL), ERR_INTERNAL);
  unlisted(f, "b", "2", 12);
  unlisted(f, "c", "3", 13);
  listed(f, "c", "4", 14, "anew");
  unlisted(f, "nothing", "9", 15);
  listed(f, "d", "5", 6, "fine");
  listed(f, "d", "5", 16, "bad");  // as good as absent
  end_list(f, 20);
  expect(f, "+a=newer +c=anew ");
  assert_int_equal(store_count(f->store), 2);
}

static void test_own_writes(void **state) {
  struct fixture *f = *state;
  store_list_begin(f->store);
  listed(f, "a", "1", 3, "x");
  end_list(f, 10);
  expect(f, "+a=x ");
  observe(f, "a", "1", 15, "mine");
  observe(f, "n", "9", 16, "new");
  expect(f, "a:x>mine +n=new ");
  event(f, WATCH_MODIFIED, "a", "1", 12, "older");
  expect(f, "");
  event(f, WATCH_MODIFIED, "a", "1", 15, "mine");
  event(f, WATCH_ADDED, "n", "9", 16, "new");
  expect(f, "");
  event(f, WATCH_MODIFIED, "a", "1", 17, "theirs");
  expect(f, "a:mine>theirs ");
  observe(f, "a", "1", 16, "late");  // the watch is further
  observe(f, "z", "7", 17, "late");
  expect(f, "");
}

static void test_own_writes_and_older_list(void **state) {
  struct fixture *f = *state;
  store_list_begin(f->store);
  listed(f, "a", "1", 3, "x");
  observe(f, "a", "1", 15, "mine");
  observe(f, "n", "9", 16, "new");
  expect(f, "+a=mine +n=new ");
  end_list(f, 10);
  expect(f, "");
  store_list_begin(f->store);
  listed(f, "a", "1", 15, "mine");
  end_list(f, 20);
  expect(f, "-n ");  // somebody deleted it
}

static void test_own_deletion(void **state) {
  struct fixture *f = *state;
  store_list_begin(f->store);
  listed(f, "a", "1", 3, "x");
  listed(f, "b", "2", 4, "y");
  end_list(f, 10);
  expect(f, "+a=x +b=y ");
  store_observe_deleted(f->store, "a", "1");
  store_observe_deleted(f->store, "b", "other");  // another object of the name was meant
  store_observe_deleted(f->store, "c", "3");
  expect(f, "-a ");
  event(f, WATCH_MODIFIED, "a", "1", 12, "late");
  observe(f, "a", "1", 13, "late answer");
  expect(f, "");
  assert_int_equal(store_tombstones(f->store), 1);
  event(f, WATCH_DELETED, "a", "1", 14, "x");
  assert_int_equal(store_tombstones(f->store), 0);
  event(f, WATCH_ADDED, "a", "7", 15, "again");
  expect(f, "+a=again ");
}

static void test_own_deletion_and_list(void **state) {
  struct fixture *f = *state;
  store_list_begin(f->store);
  listed(f, "a", "1", 3, "x");
  end_list(f, 10);
  store_list_begin(f->store);
  listed(f, "a", "1", 3, "x");
  store_observe_deleted(f->store, "a", NULL);
  end_list(f, 12);  // was taken before the deletion
  expect(f, "+a=x -a ");
  assert_int_equal(store_tombstones(f->store), 1);
  store_list_begin(f->store);
  end_list(f, 14);
  assert_int_equal(store_tombstones(f->store), 0);
}

static void test_own_recreation(void **state) {
  struct fixture *f = *state;
  store_list_begin(f->store);
  listed(f, "a", "1", 3, "x");
  end_list(f, 10);
  store_observe_deleted(f->store, "a", "1");
  observe(f, "a", "2", 13, "second");
  expect(f, "+a=x -a +a=second ");
  event(f, WATCH_DELETED, "a", "1", 12, "x");
  expect(f, "");
  store_observe_deleted(f->store, "a", "2");
  expect(f, "-a ");
  event(f, WATCH_ADDED, "a", "2", 13, "second");
  expect(f, "");
  event(f, WATCH_DELETED, "a", "2", 14, "second");
  assert_int_equal(store_tombstones(f->store), 0);
}

static void test_unreadable(void **state) {
  struct fixture *f = *state;
  store_list_begin(f->store);
  listed(f, "a", "1", 3, "x");
  listed(f, "b", "2", 4, "bad");
  cleanup_json json *nameless = json_parse("{\"metadata\":{}}", 15, NULL);
  store_list_add(f->store, nameless);
  end_list(f, 10);
  expect(f, "+a=x ");
  event(f, WATCH_MODIFIED, "a", "1", 11, "bad");
  expect(f, "-a ");
  event(f, WATCH_MODIFIED, "a", "1", 12, "good");
  expect(f, "+a=good ");
  assert_int_equal(store_event(f->store, WATCH_ADDED, nameless, NULL), ERR_INTERNAL);
}

static void test_versions(void **state) {
  (void)state;
  assert_true(store_parse_version("12") == 12);
  assert_true(store_parse_version("18446744073709551600") == UINT64_C(18446744073709551600));
  static const char *const none[] = {NULL, "", "0", "-1", "1x", " 1", "99999999999999999999", "184467440737095516160"};
  for (size_t i = 0; i < array_size(none); i++) assert_true(store_parse_version(none[i]) == 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_list_then_watch),
      TEST(test_relist),
      TEST(test_changes_while_a_list_is_told),
      TEST(test_own_writes),
      TEST(test_own_writes_and_older_list),
      TEST(test_own_deletion),
      TEST(test_own_deletion_and_list),
      TEST(test_own_recreation),
      TEST(test_unreadable),
      cmocka_unit_test(test_versions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
