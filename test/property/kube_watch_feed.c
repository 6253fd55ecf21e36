// However a watch's bytes are cut, the same events come out, and the same end.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#include "random.h"
#include "watch_feed.h"

static uint64_t seed;

struct outcome {
  struct str text;
  enum error_code push, end;
};

static const char *const skipped[] = {"managedFields", NULL};

static bool on_event(void *context, enum watch_type type, json *object) {
  struct str *s = context;
  cleanup_free char *text = json_print(object);
  str_add_format(s, "%d %s\n", (int)type, text);
  return true;
}

enum { MAX_LINE = 200 };

// Cut at the offsets for which `cut` says so.
static void run(struct outcome *o, const char *bytes, size_t length, bool (*cut)(void *, size_t), void *context) {
  struct watch_feed f;
  *o = (struct outcome){.text = STR_INIT(1000000)};
  watch_feed_init(&f, MAX_LINE, skipped, on_event, &o->text);
  for (size_t start = 0, i = 1; i <= length; i++) {
    if (i < length && !cut(context, i)) continue;
    enum error_code code = watch_feed_push(&f, bytes + start, i - start, NULL);
    if (o->push == ERR_NONE) o->push = code;
    start = i;
  }
  o->end = watch_feed_end(&f, NULL);
  watch_feed_done(&f);
}

static bool cut_never(void *context, size_t at) {
  (void)context, (void)at;
  return false;
}

static bool cut_always(void *context, size_t at) {
  (void)context, (void)at;
  return true;
}

static bool cut_once(void *context, size_t at) {
  return *(size_t *)context == at;
}

static bool cut_random(void *context, size_t at) {
  (void)at;
  return random_below(context, 5) == 0;
}

static void expect_same(struct outcome *a, struct outcome *b) {
  assert_string_equal(str_text(&a->text), str_text(&b->text));
  assert_int_equal(a->push, b->push);
  assert_int_equal(a->end, b->end);
  str_done(&b->text);
}

static void add_line(struct random *r, struct str *s) {
  static const char *const types[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};
  static const char *const odd[] = {"",          " \t", "\r", "nonsense", "{}", "{\"type\":\"ADDED\",\"object\":3}",
                                    "{\"type\":"};
  if (random_below(r, 60) == 0) {
    str_add(s, odd[random_below(r, array_size(odd))]);
  } else {
    str_add_format(s, "{\"type\":\"%s\",\"object\":{\"s\":\"\xc3\xa9\\n", types[random_below(r, 5)]);
    unsigned filling = random_below(r, random_below(r, 40) == 0 ? 250 : 100);
    for (unsigned i = 0; i < filling; i++) str_add(s, "x");
    str_add(s, "\"}}");
  }
  str_add(s, random_below(r, 10) == 0 ? "\r\n" : "\n");
}

static void test_cuts(void **state) {
  (void)state;
  for (unsigned run_number = 0; run_number < 40; run_number++) {
    struct random r = {seed + run_number};
    cleanup_str struct str s = STR_INIT(100000);
    for (unsigned lines = random_below(&r, 12); lines > 0; lines--) add_line(&r, &s);
    if (random_below(&r, 3) == 0 && s.length > 0) s.length -= random_below(&r, (unsigned)s.length);

    struct outcome whole, other;
    run(&whole, str_text(&s), s.length, cut_never, NULL);
    run(&other, str_text(&s), s.length, cut_always, NULL);
    expect_same(&whole, &other);
    for (size_t at = 1; at < s.length; at++) {
      run(&other, str_text(&s), s.length, cut_once, &at);
      expect_same(&whole, &other);
    }
    run(&other, str_text(&s), s.length, cut_random, &r);
    expect_same(&whole, &other);
    str_done(&whole.text);
  }
}

int main(void) {
  seed = random_seed();
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cuts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
