#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arena/resources.h"
#include "base/memory.h"

static json *parse(const char *text) {
  struct error e = {0};
  json *o = json_parse(text, strlen(text), &e);
  assert_non_null(o);
  return o;
}

static void assert_json(json *take, const char *expected) {
  json *o cleanup_json = take, *wanted cleanup_json = parse(expected);
  char *text cleanup_free = json_print(o);
  if (!json_object_equal(o, wanted)) assert_string_equal(text, expected);
}

// ---- specs -------------------------------------------------------------------------------------

static void test_agent_defaults_and_bounds(void **state) {
  (void)state;
  json *o cleanup_json = parse("{\"spec\":{\"owner\":\"alice\",\"environment\":\"pong\",\"activeSubmission\":\"\"}}");
  struct agent a = {0};
  assert_true(agent_decode(o, &a, NULL));
  assert_string_equal(a.owner, "alice");
  assert_null(a.pinned);
  assert_true(a.enabled && !a.suspended && !a.status.rating.present);
  assert_int_equal(a.priority, 5);
  assert_int_equal(a.mode, AGENT_CONTINUOUS);
  assert_int_equal(a.status.queue.state, QUEUE_IDLE);
  owned_free(agent_owned, &a);

  json *full cleanup_json = parse(
      "{\"spec\":{\"owner\":\"alice\",\"environment\":\"pong\",\"displayName\":\"A\",\"activeSubmission\":\"a-1\","
      "\"matchmaking\":{\"enabled\":false,\"priority\":99,\"mode\":\"Once\"},\"suspended\":true},"
      "\"status\":{\"latestVersion\":99999999999,\"activeVersion\":-4,\"rating\":{\"elo\":1612,\"matches\":12},"
      "\"queue\":{\"state\":\"Waiting\",\"enqueuedAt\":\"2026-01-01T12:00:00.250Z\"}}}");
  a = (struct agent){0};
  assert_true(agent_decode(full, &a, NULL));
  assert_string_equal(a.pinned, "a-1");
  assert_true(!a.enabled && a.suspended && a.status.rating.present);
  assert_int_equal(a.priority, 10);
  assert_int_equal(a.mode, AGENT_ONCE);
  assert_int_equal(a.status.latest_version, INT32_MAX);
  assert_int_equal(a.status.active_version, 0);
  assert_int_equal(a.status.rating.elo, 1612);
  assert_int_equal(a.status.queue.enqueued, INT64_C(1767268800250));
  owned_free(agent_owned, &a);
}

static void test_submission_sources(void **state) {
  (void)state;
  static const struct {
    const char *source;
    enum source_kind kind;
    const char *url, *image;
    unsigned files;
  } cases[] = {
      {"{\"inline\":{\"files\":{\"agent.py\":\"\",\"model/net.py\":\"x\",\"odd\":7}}}", SOURCE_INLINE, NULL, NULL, 2},
      {"{\"archive\":{\"url\":\"https://a/b.zip\",\"sha256\":\"00\",\"format\":\"zip\"}}", SOURCE_ARCHIVE,
       "https://a/b.zip", NULL, 0},
      {"{\"git\":{\"url\":\"https://a/b.git\",\"ref\":\"main\",\"path\":\"x\"}}", SOURCE_GIT, "https://a/b.git", NULL,
       0},
      {"{\"image\":\"host/a:1\"}", SOURCE_IMAGE, NULL, "host/a:1", 0},
      {"{\"inline\":3}", SOURCE_INLINE, NULL, NULL, 0},
      {"{\"image\":\"\"}", SOURCE_NONE, NULL, NULL, 0},
      {"{}", SOURCE_NONE, NULL, NULL, 0},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    char *text cleanup_free = mem_printf("{\"spec\":{\"agent\":\"alice\",\"source\":%s}}", cases[i].source);
    json *o cleanup_json = parse(text);
    struct submission s = {0};
    assert_true(submission_decode(o, &s, NULL));
    assert_int_equal(s.source, cases[i].kind);
    assert_int_equal(s.file_count, cases[i].files);
    assert_true((s.url == NULL) == (cases[i].url == NULL) && (!s.url || strcmp(s.url, cases[i].url) == 0));
    assert_true((s.image == NULL) == (cases[i].image == NULL) && (!s.image || strcmp(s.image, cases[i].image) == 0));
    assert_int_equal(s.timeout_seconds, 900);
    assert_int_equal(s.max_retries, 3);
    owned_free(submission_owned, &s);
  }
}

static void test_match_spec(void **state) {
  (void)state;
  json *o cleanup_json = parse(
      "{\"spec\":{\"environment\":\"pong\",\"participants\":[{\"agent\":\"a\",\"submission\":\"a-1\"},{\"agent\":\"b\"}"
      "]},"
      "\"status\":{\"conditions\":[{\"type\":\"Failed\",\"status\":\"True\"}]}}");
  struct match m = {0};
  assert_true(match_decode(o, &m, NULL));
  assert_true(m.rated && m.record_replay && match_is_finished(&m));
  assert_true(m.seed == -1 && m.ttl_seconds == -1 && m.status.seed == -1);
  assert_int_equal(m.timeout_seconds, 300);
  assert_string_equal(m.participants[0].submission, "a-1");
  assert_null(m.participants[1].submission);
  assert_int_equal(match_seat_of(&m, "a"), 0);
  assert_int_equal(match_seat_of(&m, "b"), 1);
  assert_int_equal(match_seat_of(&m, "c"), -1);
  owned_free(match_owned, &m);

  json *seeded cleanup_json = parse(
      "{\"spec\":{\"environment\":\"pong\",\"participants\":[{\"agent\":\"a\"},{\"agent\":\"b\"}],\"rated\":false,"
      "\"seed\":9007199254740993,\"ttlSecondsAfterFinished\":0}}");
  m = (struct match){0};
  assert_true(match_decode(seeded, &m, NULL));
  assert_false(m.rated);
  assert_int_equal(m.seed, INT64_C(9007199254740991));
  assert_int_equal(m.ttl_seconds, 0);
  assert_false(match_is_finished(&m));
  owned_free(match_owned, &m);
}

static void test_queue_spec(void **state) {
  (void)state;
  static const struct {
    const char *scan;
    enum severity fail_on;
    bool never, ignore_unfixed;
  } policies[] = {
      {"{}", SEVERITY_CRITICAL, false, true},
      {"{\"failOn\":\"LOW\",\"ignoreUnfixed\":false}", SEVERITY_LOW, false, false},
      {"{\"failOn\":\"NONE\"}", SEVERITY_CRITICAL, true, true},
      {"{\"failOn\":\"severe\"}", SEVERITY_CRITICAL, false, true},
  };
  for (size_t i = 0; i < array_size(policies); i++) {
    char *text cleanup_free =
        mem_printf("{\"spec\":{\"environment\":{\"name\":\"pong\"},\"scan\":%s}}", policies[i].scan);
    json *o cleanup_json = parse(text);
    struct queue q = {0};
    assert_true(queue_decode(o, &q, NULL));
    assert_int_equal(q.fail_on, policies[i].fail_on);
    assert_int_equal(q.never_fail, policies[i].never);
    assert_int_equal(q.ignore_unfixed, policies[i].ignore_unfixed);
    assert_int_equal(q.elo_initial, 1500);
    assert_int_equal(q.elo_max_range, 500);
    assert_int_equal(q.max_concurrent, 0);
    assert_int_equal(q.max_concurrent_per_agent, 1);
    assert_int_equal(q.match.ttl_seconds, 604800);
    owned_free(queue_owned, &q);
  }
}

static void test_required_fields(void **state) {
  (void)state;
  typedef bool decode_fn(json *, void *, struct error *);
  static const struct {
    decode_fn *decode;
    const char *object, *missing;
  } cases[] = {
      {agent_decode, "{}", "spec.owner"},
      {agent_decode, "{\"spec\":{\"owner\":\"a\"}}", "spec.environment"},
      {agent_decode, "{\"spec\":{\"owner\":\"a\",\"environment\":\"\"}}", "spec.environment"},
      {submission_decode, "{\"spec\":{\"source\":{}}}", "spec.agent"},
      {match_decode, "{\"spec\":{}}", "spec.environment"},
      {match_decode, "{\"spec\":{\"environment\":\"p\",\"participants\":[{\"agent\":\"a\"}]}}", "spec.participants"},
      {match_decode, "{\"spec\":{\"environment\":\"p\",\"participants\":[{\"agent\":\"a\"},{}]}}",
       "participants[1].agent"},
      {queue_decode, "{\"spec\":{\"environment\":\"pong\"}}", "spec.environment.name"},
      {queue_decode, "[]", "spec.environment.name"},
  };
  union {
    struct agent agent;
    struct submission submission;
    struct match match;
    struct queue queue;
  } ret, untouched;
  memset(&untouched, 0, sizeof(untouched));
  for (size_t i = 0; i < array_size(cases); i++) {
    json *o cleanup_json = parse(cases[i].object);
    struct error e = {0};
    memset(&ret, 0, sizeof(ret));
    assert_false(cases[i].decode(o, &ret, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_non_null(strstr(e.text, cases[i].missing));
    assert_memory_equal(&ret, &untouched, sizeof(ret));
  }
}

// ---- patches -----------------------------------------------------------------------------------

static void test_first_patch_names_everything(void **state) {
  (void)state;
  struct queue_status from = {0}, to = {.observed = 1};
  assert_json(queue_status_patch(&from, &to),
              "{\"status\":{\"observedGeneration\":1,\"waiting\":0,\"playing\":0,\"matchedTotal\":0,"
              "\"medianWaitSeconds\":0,\"conditions\":[]}}");
  assert_null(queue_status_patch(&from, &from));
  from.observed = 1;
  assert_null(queue_status_patch(&from, &to));
  to.playing = -1;  // no sum of the controller's may make a status that is refused
  assert_null(queue_status_patch(&from, &to));
  to.waiting = 2;
  assert_json(queue_status_patch(&from, &to), "{\"status\":{\"waiting\":2}}");
}

static void test_patch_clears_with_null(void **state) {
  (void)state;
  struct agent_status from = {.observed = 1,
                              .active_submission = (char *)"a-1",
                              .image = (char *)"i",
                              .queue = {.state = QUEUE_WAITING, .enqueued = 1767268800250, .range = 100},
                              .rating = {.present = true, .elo = 1500}};
  struct agent_status to = from;
  to.image = NULL;
  to.rating.present = false;
  to.queue = (struct agent_queue){.state = QUEUE_PLAYING};
  assert_json(agent_status_patch(&from, &to),
              "{\"status\":{\"queue\":{\"state\":\"Playing\",\"enqueuedAt\":null,\"rangeNow\":null},\"image\":null,"
              "\"rating\":null}}");
  from.image = (char *)"";  // the same as absent
  to = from;
  to.image = NULL;
  assert_null(agent_status_patch(&from, &to));
}

static void test_lists_are_whole(void **state) {
  (void)state;
  struct submission_status from = {.observed = 1}, to = {.observed = 1};
  attempts_add(&from.builds, 1)->started = 1767268800000;
  attempts_add(&to.builds, 1)->started = 1767268800000;
  attempts_add(&to.builds, 2);
  assert_json(submission_status_patch(&from, &to),
              "{\"status\":{\"attempts\":[{\"number\":1,\"startedAt\":\"2026-01-01T12:00:00Z\"},{\"number\":2}]}}");
  for (int i = 3; i <= ATTEMPTS_MAX; i++) assert_non_null(attempts_add(&to.builds, i));
  assert_null(attempts_add(&to.builds, ATTEMPTS_MAX + 1));
  submission_status_done(&from);
  submission_status_done(&to);
}

static void test_scan_counts(void **state) {
  (void)state;
  struct finding finding = {.id = mem_strdup("CVE-1"), .package = mem_strdup("p"), .severity = SEVERITY_HIGH};
  struct submission_status from = {.observed = 1}, to = from;
  to.scan = (struct scan){.present = true, .findings = findings_share(&finding, 1)};
  to.scan.total[SEVERITY_HIGH] = 3;
  to.scan.fixable[SEVERITY_HIGH] = 2;
  to.scan.fixable[SEVERITY_LOW] = 1;
  assert_json(submission_status_patch(&from, &to),
              "{\"status\":{\"scan\":{\"critical\":0,\"high\":3,\"medium\":0,\"low\":0,\"unknown\":0,\"fixable\":3,"
              "\"fixableCritical\":0,\"fixableHigh\":2,\"fixableMedium\":0,\"fixableLow\":1,\"fixableUnknown\":0,"
              "\"findings\":[{\"id\":\"CVE-1\",\"package\":\"p\",\"severity\":\"HIGH\"}]}}}");
  assert_json(submission_status_patch(&to, &from), "{\"status\":{\"scan\":null}}");
  findings_done(to.scan.findings);
  assert_int_equal(severity_parse("HIGH"), SEVERITY_HIGH);
  assert_int_equal(severity_parse("NEGLIGIBLE"), SEVERITY_UNKNOWN);
  assert_int_equal(severity_parse(NULL), SEVERITY_UNKNOWN);
}

static const struct findings *two_findings(const char *title) {
  struct finding items[] = {{.id = mem_strdup("CVE-1"), .title = mem_strdup(title)},
                            {.id = mem_strdup("CVE-2"), .fixed = mem_strdup("2"), .severity = SEVERITY_LOW}};
  return findings_share(items, array_size(items));
}

static void test_equal_findings_are_there_once(void **state) {
  (void)state;
  assert_null(findings_share(NULL, 0));
  assert_null(findings_again(NULL));
  findings_done(NULL);
  const struct findings *a = two_findings("t"), *b = two_findings("t"), *other = two_findings("u");
  const struct findings *none = two_findings(NULL), *empty = two_findings("");
  assert_ptr_equal(a, b);
  assert_ptr_not_equal(a, other);
  assert_ptr_not_equal(none, empty);
  assert_ptr_equal(findings_again(a), a);
  findings_done(a);
  findings_done(b);
  assert_string_equal(a->items[0].title, "t");  // held once more
  assert_int_equal(a->count, 2);
  findings_done(a);
  findings_done(other);
  findings_done(none);
  findings_done(empty);
}

static void test_match_result(void **state) {
  (void)state;
  struct match_status from = {.observed = 1, .seed = -1}, to = from;
  to.participant_count = 2;
  to.participants[0] = (struct participant_status){.agent = (char *)"a",
                                                   .outcome = OUTCOME_WIN,
                                                   .score = 1,
                                                   .elo_before = 1500,
                                                   .elo_after = 1520,
                                                   .match_number = 1};
  to.participants[1] = (struct participant_status){.agent = (char *)"b", .outcome = OUTCOME_FORFEIT, .errors = 2};
  to.seed = 0;
  to.replay_url = (char *)"http://e/r.json";
  assert_json(match_status_patch(&from, &to),
              "{\"status\":{\"participants\":[{\"agent\":\"a\",\"outcome\":\"Win\",\"score\":1.0,\"errors\":0,"
              "\"eloBefore\":1500,\"eloAfter\":1520,\"eloChange\":20,\"matchNumber\":1},"
              "{\"agent\":\"b\",\"outcome\":\"Forfeit\",\"score\":0.0,\"errors\":2}],\"seed\":0,"
              "\"replay\":{\"url\":\"http://e/r.json\"}}}");
  assert_string_equal(outcome_text(OUTCOME_NONE), "");
  assert_string_equal(queue_state_text(QUEUE_COOLDOWN), "Cooldown");
}

static void test_texts_are_bounded(void **state) {
  (void)state;
  char text[5000];
  memset(text, 'x', sizeof(text));
  text[sizeof(text) - 1] = '\0';
  struct submission_status from = {.observed = 1}, to = from;
  struct attempt *a = attempts_add(&to.builds, 1);
  a->message = text;
  a->reason = text;
  json *patch cleanup_json = submission_status_patch(&from, &to);
  json *first = json_item(json_at(patch, "status", "attempts", NULL), 0);
  assert_int_equal(strlen(json_text(first, "message")), 4096);
  assert_int_equal(strlen(json_text(first, "reason")), 128);
  free(to.builds.items);  // its texts are not on the heap
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_agent_defaults_and_bounds),
      cmocka_unit_test(test_submission_sources),
      cmocka_unit_test(test_match_spec),
      cmocka_unit_test(test_queue_spec),
      cmocka_unit_test(test_required_fields),
      cmocka_unit_test(test_first_patch_names_everything),
      cmocka_unit_test(test_patch_clears_with_null),
      cmocka_unit_test(test_lists_are_whole),
      cmocka_unit_test(test_scan_counts),
      cmocka_unit_test(test_equal_findings_are_there_once),
      cmocka_unit_test(test_match_result),
      cmocka_unit_test(test_texts_are_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
