// Git's packets and words: offers, what is asked for, answers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#include "git_wire.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"

// A packet of a text, with its length in front.
static void add(struct str *s, const char *text) {
  str_add_format(s, "%04zx%s", strlen(text) + 4, text);
}

static void add_first(struct str *s, const char *line, const char *abilities) {
  str_add_format(s, "%04zx%s", strlen(line) + strlen(abilities) + 6, line);
  str_add_bytes(s, "", 1);
  str_add_format(s, "%s\n", abilities);
}

static bool feed(bool (*packet)(void *, bool, char *, size_t, struct fault *), void *context, const struct str *s,
                 size_t piece, struct fault *f) {
  cleanup_free struct git_packets *p = mem_alloc(sizeof *p);
  p->packet = packet;
  p->context = context;
  for (size_t at = 0; at < s->length; at += piece) {
    size_t n = s->length - at < piece ? s->length - at : piece;
    if (!git_packets_feed(p, s->data + at, n, f)) return false;
  }
  return git_packets_whole(p);
}

// A repository of three branches and two tags, of which one is annotated.
static void offer(struct str *s, const char *abilities) {
  add(s, "# service=git-upload-pack\n");
  str_add(s, "0000");
  add_first(s, A " HEAD", abilities);
  add(s, A " refs/heads/main\n");
  add(s, B " refs/heads/both\n");
  add(s, B " refs/heads/deep/er\n");
  add(s, C " refs/pull/1/head\n");
  add(s, C " refs/tags/both\n");
  add(s, C " refs/tags/v1\n");
  add(s, A " refs/tags/v1^{}\n");
  str_add(s, "0000");
}

static void refs_are_found(void **state) {
  (void)state;
  static const struct {
    const char *ref, *want;
  } cases[] = {
      {"main", A},
      {"both", B},
      {"deep/er", B},
      {"v1", C},
      {"refs/tags/both", C},
      {"refs/pull/1/head", C},
      {"HEAD", A},
      {A, A},
      {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", A},
      {"er", NULL},
      {"mai", NULL},
      {"main2", NULL},
      {"aaaaaaa", NULL},
  };
  struct str cleanup_str s = STR_INIT(1 << 16);
  offer(&s, "multi_ack side-band-64k shallow ofs-delta");
  for (size_t i = 0; i < array_size(cases); i++) {
    for (size_t piece = 1; piece <= s.length; piece += 7) {
      struct git_offer o;
      struct git_want w;
      struct fault f = {0};
      git_offer_init(&o, cases[i].ref);
      assert_true(feed(git_offer_packet, &o, &s, piece, &f));
      bool found = git_offer_decide(&o, &w, &f);
      if (found != (cases[i].want != NULL)) fail_msg("%s: %s", cases[i].ref, f.message);
      if (found) assert_string_equal(w.target, cases[i].want);
      if (found) assert_false(w.deep);
      git_offer_done(&o);
    }
  }
}

static void body_for(const char *ref, const char *abilities, struct str *ret) {
  struct str cleanup_str s = STR_INIT(1 << 16);
  struct git_offer o;
  struct git_want w;
  struct fault f = {0};
  offer(&s, abilities);
  git_offer_init(&o, ref);
  assert_true(feed(git_offer_packet, &o, &s, s.length, &f));
  assert_true(git_offer_decide(&o, &w, &f));
  git_want_body(&o, &w, ret);
  git_offer_done(&o);
}

static void one_commit_is_asked_for(void **state) {
  (void)state;
  struct str cleanup_str body = STR_INIT(1 << 16), plain = STR_INIT(1 << 16);
  body_for("main", "side-band-64k shallow", &body);
  assert_string_equal(body.data, "0073want " A
                                 " side-band-64k ofs-delta no-progress shallow agent=rl-arena-fetch\n"
                                 "000ddeepen 1\n00000009done\n");
  body_for("main", "side-band-64k shallow-not deepen-shallow", &plain);
  assert_null(strstr(plain.data, "deepen"));
}

static void a_hidden_commit_needs_everything(void **state) {
  (void)state;
  const char *hidden = "dddddddddddddddddddddddddddddddddddddddd";
  struct str cleanup_str all = STR_INIT(1 << 16), one = STR_INIT(1 << 16);
  body_for(hidden, "side-band-64k shallow allow-tip-sha1-in-want", &all);
  assert_null(strstr(all.data, "deepen"));
  assert_null(strstr(all.data, hidden));
  assert_non_null(strstr(all.data, "want " A));
  assert_non_null(strstr(all.data, "0032want " B "\n"));
  body_for(hidden, "side-band-64k shallow allow-reachable-sha1-in-want", &one);
  assert_non_null(strstr(one.data, hidden));
  assert_non_null(strstr(one.data, "deepen 1\n"));
}

static void names_are_checked(void **state) {
  (void)state;
  static const char *const good[] = {"main", "feature/x", "v1.0", "refs/heads/main", "HEAD", A, "\xc3\xa9", "a-b_c+d"};
  static const char *const bad[] = {"",    "-main", "/main", "main/", "a//b", "a..b", "a b",   "a~1", "a^",
                                    "a:b", "a?",    "a*",    "a[",    "a\\b", "a\n",  "a@{1}", "\xff"};
  for (size_t i = 0; i < array_size(good); i++) {
    struct fault f = {0};
    if (!git_ref_check(good[i], &f)) fail_msg("%s", good[i]);
  }
  for (size_t i = 0; i < array_size(bad); i++) {
    struct fault f = {0};
    if (git_ref_check(bad[i], &f)) fail_msg("%s", bad[i]);
    assert_string_equal(f.reason, "BadRef");
  }
}

static bool collect(void *context, const char *bytes, size_t length, struct fault *f) {
  (void)f;
  str_add_bytes(context, bytes, length);
  return true;
}

static void answers_are_unwrapped(void **state) {
  (void)state;
  struct str cleanup_str s = STR_INIT(1 << 16), pack = STR_INIT(1 << 16);
  add(&s, "shallow " A);
  str_add(&s, "0000");
  add(&s, "NAK\n");
  add(&s, "\1PACK");
  add(&s, "\2counting\r");
  add(&s, "");
  add(&s, "\1rest");
  str_add(&s, "0000");
  for (size_t piece = 1; piece <= s.length; piece++) {
    struct fault f = {0};
    struct git_answer a = {.pack = collect, .context = &pack};
    str_clear(&pack);
    if (!feed(git_answer_packet, &a, &s, piece, &f)) fail_msg("%s", f.message);
    assert_int_equal(a.stage, 3);
    assert_string_equal(pack.data, "PACKrest");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(refs_are_found),
      cmocka_unit_test(one_commit_is_asked_for),
      cmocka_unit_test(a_hidden_commit_needs_everything),
      cmocka_unit_test(names_are_checked),
      cmocka_unit_test(answers_are_unwrapped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
