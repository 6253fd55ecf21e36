// Statuses survive the way to the API server and back: a random status is written as a merge patch
// onto what another one left, and what is read from the result equals it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arena/intern.h"
#include "arena/resources.h"
#include "base/memory.h"
#include "base/str.h"

#include "random.h"

enum { RUNS = 120 };
static uint64_t seed;

// ---- random values -----------------------------------------------------------------------------

// NULL, "", plain, odd or far too long; also bytes that are no UTF-8.
static char *random_text(struct random *r) {
  static const char *const odd[] = {"a\"b\\c\n", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x99\x82", "bad\xFF\xC3", "null", "0"};
  switch (random_below(r, 20)) {
    case 0:
    case 4:
    case 5: return NULL;
    case 1: return mem_strdup("");
    case 2: return mem_strdup(odd[random_below(r, array_size(odd))]);
    case 3: {
      size_t length = random_below(r, 6000);
      char *text = mem_alloc(length + 1);
      for (size_t i = 0; i < length; i++) text[i] = (char)(1 + random_below(r, 255));
      return text;
    }
    default: return mem_printf("text-%u", random_below(r, 1000));
  }
}

// Whole seconds, or not set.
static msec random_time(struct random *r) {
  return random_below(r, 3) ? (INT64_C(1767000000) + random_below(r, 1000000)) * 1000 : 0;
}

static int32_t random_count(struct random *r) {
  return random_below(r, 3) ? (int32_t)random_below(r, 1000) : 0;
}

static struct conditions random_conditions(struct random *r) {
  static const char *const types[] = {"Ready", "Built", "Scanned", "Stalled", "Reconciling"};
  static const char *const reasons[] = {"Waiting", "BuildFailed", "OOMKilled"};
  struct conditions c = {0};
  for (size_t i = 0; i < array_size(types); i++) {
    if (random_below(r, 2)) continue;
    char *message cleanup_free = random_text(r);
    condition_set(&c, types[i], (enum condition_status)random_below(r, 3),
                  reasons[random_below(r, array_size(reasons))], random_count(r), random_time(r) + 1000, "%s",
                  message ? message : "");
  }
  return c;
}

static struct agent_status random_agent(struct random *r) {
  struct agent_status s = {
      .observed = random_count(r),
      .active_submission = random_text(r),
      .active_version = random_count(r),
      .image = random_text(r),
      .latest_version = random_count(r),
      .latest_submission = random_text(r),
      .queue = {.state = (enum queue_state)random_below(r, 6),
                .enqueued = random_time(r),
                .expires = random_time(r),
                .range = random_count(r),
                .ticket = random_text(r),
                .reason = random_text(r)},
      .consecutive_forfeits = random_count(r),
      .conditions = random_conditions(r),
  };
  if (s.queue.enqueued) s.queue.enqueued += random_below(r, 1000);
  if (random_below(r, 2))
    s.rating = (struct rating){.present = true,
                               .elo = random_count(r),
                               .matches = random_count(r),
                               .wins = random_count(r),
                               .losses = random_count(r),
                               .draws = random_count(r),
                               .peak = random_count(r),
                               .provisional = random_below(r, 2)};
  return s;
}

static void random_attempts(struct random *r, struct attempts *a) {
  for (unsigned count = random_below(r, ATTEMPTS_MAX + 1); a->count < count;) {
    struct attempt *item = attempts_add(a, (int32_t)a->count + 1);
    item->job = random_text(r);
    item->pod = random_text(r);
    item->started = random_time(r);
    item->finished = random_time(r);
    item->reason = random_text(r);
    item->message = random_text(r);
  }
}

static struct scan random_scan(struct random *r) {
  struct scan s = {.present = true, .scanner = random_text(r), .database = random_time(r), .finished = random_time(r)};
  for (int i = 0; i < SEVERITY_COUNT; i++) {
    s.total[i] = random_count(r);
    s.fixable[i] = random_count(r);
  }
  struct finding items[FINDINGS_MAX];
  const unsigned count = random_below(r, 4) ? random_below(r, 3) : FINDINGS_MAX;
  for (unsigned i = 0; i < count; i++)
    items[i] = (struct finding){.id = random_text(r),
                                .package = random_text(r),
                                .installed = random_text(r),
                                .fixed = random_text(r),
                                .title = random_text(r),
                                .severity = (enum severity)random_below(r, SEVERITY_COUNT)};
  s.findings = findings_share(items, count);
  return s;
}

static struct submission_status random_submission(struct random *r) {
  struct submission_status s = {
      .observed = random_count(r),
      .phase = random_text(r),
      .version = random_count(r),
      .image = random_text(r),
      .digest = random_text(r),
      .conditions = random_conditions(r),
  };
  random_attempts(r, &s.builds);
  random_attempts(r, &s.scan_attempts);
  if (random_below(r, 2)) s.scan = random_scan(r);
  return s;
}

static struct match_status random_match(struct random *r) {
  struct match_status s = {
      .observed = random_count(r),
      .phase = random_text(r),
      .reason = random_text(r),
      .participant_count = random_below(r, 2) ? PARTICIPANTS_MAX : 0,
      .winner = random_text(r),
      .seed = random_below(r, 2) ? -1 : (int64_t)random_below(r, 1000) * INT64_C(9007199254740),
      .environment_version = random_text(r),
      .steps = random_count(r),
      .milliseconds = random_count(r),
      .attempt = (int32_t)random_below(r, 4),
      .replay_url = random_text(r),
      .replay_html_url = random_text(r),
      .replay_sha256 = random_text(r),
      .replay_html_sha256 = random_text(r),
      .started = random_time(r),
      .completed = random_time(r),
      .conditions = random_conditions(r),
  };
  if (s.completed) s.completed += random_below(r, 1000);
  for (unsigned i = 0; i < s.participant_count; i++) {
    struct participant_status *p = &s.participants[i];
    *p = (struct participant_status){.agent = random_text(r),
                                     .agent_uid = random_text(r),
                                     .submission = random_text(r),
                                     .image = random_text(r),
                                     .version = random_count(r),
                                     .score = random_below(r, 2) ? (int)random_below(r, 2000) / 7.0 - 100 : 0,
                                     .errors = random_count(r),
                                     .outcome = (enum outcome)random_below(r, 5),
                                     .error_message = random_text(r),
                                     .match_number = random_count(r)};
    if (p->match_number == 0) continue;
    p->elo_before = random_count(r);
    p->elo_after = random_count(r);
  }
  return s;
}

static struct queue_status random_queue(struct random *r) {
  return (struct queue_status){
      .observed = random_count(r),
      .waiting = random_count(r),
      .playing = random_count(r),
      .matched_total = random_count(r) * INT64_C(1000000000),
      .last_run = random_time(r),
      .next_run = random_time(r),
      .median_wait_seconds = random_count(r),
      .conditions = random_conditions(r),
  };
}

// ---- the API server's part ---------------------------------------------------------------------

// RFC 7386, on objects.
static void merge(json *target, json *patch) {
  json_object_object_foreach(patch, key, value) {
    if (!value) {
      json_object_object_del(target, key);
    } else if (json_object_is_type(value, json_type_object)) {
      json *inner = json_get(target, key);
      if (!json_object_is_type(inner, json_type_object)) inner = json_add_object(target, key);
      merge(inner, value);
    } else {
      json_add(target, key, json_object_get(value));
    }
  }
}

// It sends and stores text, so that numbers and strings go through their printed form.
static void apply(json **object, json *take_patch) {
  json *patch cleanup_json = take_patch;
  merge(*object, patch);
  char *text cleanup_free = json_print(*object);
  json_put(object);
  struct error e = {0};
  *object = json_parse(text, strlen(text), &e);
  assert_non_null(*object);
}

static json *new_object(const char *spec) {
  struct error e = {0};
  json *object = json_parse(spec, strlen(spec), &e);
  assert_non_null(object);
  return object;
}

// For a kind: random statuses are written one after the other onto an object that had none, and read again, loose and
// packed.
#define ROUND_TRIP(kind, spec)                                                    \
  static void test_##kind(void **state) {                                         \
    (void)state;                                                                  \
    for (unsigned run = 0; run < RUNS; run++) {                                   \
      struct random r = {seed + run};                                             \
      json *object cleanup_json = new_object(spec);                               \
      for (int step = 0; step < 3; step++) {                                      \
        struct kind before = {0}, after = {0};                                    \
        struct kind##_status to = random_##kind(&r), copy;                        \
        assert_true(kind##_decode(object, &before, NULL));                        \
        kind##_status_copy(&copy, &to);                                           \
        assert_null(kind##_status_patch(&copy, &to));                             \
        json *patch = kind##_status_patch(&before.status, &copy);                 \
        if (patch) {                                                              \
          assert_int_equal(json_object_object_length(patch), 1);                  \
          apply(&object, patch);                                                  \
        }                                                                         \
        assert_true(kind##_decode(object, &after, NULL));                         \
        assert_null(kind##_status_patch(&after.status, &to));                     \
        assert_true(conditions_equal(&after.status.conditions, &to.conditions));  \
        struct kind *packed = owned_pack(kind##_owned, 0, &after, sizeof(after)); \
        assert_null(kind##_status_patch(&packed->status, &to));                   \
        owned_let_go(kind##_owned, packed);                                       \
        free(packed);                                                             \
        owned_free(kind##_owned, &before);                                        \
        kind##_status_done(&to);                                                  \
        kind##_status_done(&copy);                                                \
      }                                                                           \
    }                                                                             \
  }

ROUND_TRIP(agent, "{\"spec\":{\"owner\":\"alice\",\"environment\":\"pong\"}}")
ROUND_TRIP(submission, "{\"spec\":{\"agent\":\"alice\",\"source\":{\"image\":\"a\"}}}")
ROUND_TRIP(match, "{\"spec\":{\"environment\":\"pong\",\"participants\":[{\"agent\":\"a\"},{\"agent\":\"b\"}]}}")
ROUND_TRIP(queue, "{\"spec\":{\"environment\":{\"name\":\"pong\"}}}")

// ---- damaged objects ---------------------------------------------------------------------------

static json *random_json(struct random *r, int depth);

// One value somewhere in the tree is replaced by something else.
static void damage(struct random *r, json *o) {
  if (json_object_is_type(o, json_type_array)) {
    size_t count = json_length(o);
    if (count == 0) return;
    size_t i = random_below(r, (unsigned)count);
    if (random_below(r, 2))
      damage(r, json_item(o, i));
    else
      json_object_array_put_idx(o, i, random_json(r, 2));
  }
  if (!json_object_is_type(o, json_type_object) || json_object_object_length(o) == 0) return;
  int chosen = (int)random_below(r, (unsigned)json_object_object_length(o));
  json_object_object_foreach(o, key, value) {
    if (chosen-- > 0) continue;
    if (random_below(r, 4)) {
      damage(r, value);
    } else {
      char *name cleanup_free = mem_strdup(key);
      json_add(o, name, random_json(r, 2));
    }
    return;
  }
}

static json *random_json(struct random *r, int depth) {
  json *o;
  switch (random_below(r, depth > 0 ? 7 : 5)) {
    case 0: return NULL;
    case 1: return json_object_new_int64(((int64_t)random_below(r, UINT32_MAX) << 31) - (INT64_C(1) << 61));
    case 2: return json_object_new_double(random_below(r, 1000) / 3.0 - 100);
    case 3: return json_object_new_boolean(random_below(r, 2));
    case 4: {
      char *text cleanup_free = random_text(r);
      return json_object_new_string(text ? text : "");
    }
    case 5:
      o = json_new_array();
      for (unsigned n = random_below(r, 70); n > 0; n--) json_push(o, random_json(r, depth - 1));
      return o;
    default:
      o = json_new_object();
      json_add(o, "name", random_json(r, depth - 1));
      json_add(o, "files", random_json(r, depth - 1));
      return o;
  }
}

// Whatever is read is within the bounds of the schema and can be written again.
static void check_agent(json *object) {
  struct agent a = {0};
  if (!agent_decode(object, &a, NULL)) return;
  assert_true(a.owner && a.environment && a.priority >= 1 && a.priority <= 10 &&
              a.status.queue.state <= QUEUE_SUSPENDED);
  assert_true(a.status.rating.elo >= 0 && a.status.rating.elo <= 1000000 && a.status.latest_version >= 0);
  assert_null(agent_status_patch(&a.status, &a.status));
  owned_free(agent_owned, &a);
}

static void check_submission(json *object) {
  struct submission s = {0};
  if (!submission_decode(object, &s, NULL)) return;
  assert_true(s.agent && s.max_retries >= 0 && s.max_retries <= 3 && s.file_count <= 64);
  assert_true(s.status.builds.count <= ATTEMPTS_MAX);
  assert_true(s.status.scan.findings == NULL || s.status.scan.findings->count <= FINDINGS_MAX);
  assert_null(submission_status_patch(&s.status, &s.status));
  owned_free(submission_owned, &s);
}

static void check_match(json *object) {
  struct match m = {0};
  if (!match_decode(object, &m, NULL)) return;
  assert_true(m.environment && m.participant_count == 2 && m.participants[0].agent && m.participants[1].agent);
  assert_true(m.status.participant_count <= 2 && m.status.seed >= -1 && m.ttl_seconds >= -1);
  assert_null(match_status_patch(&m.status, &m.status));
  owned_free(match_owned, &m);
}

static void check_queue(json *object) {
  struct queue q = {0};
  if (!queue_decode(object, &q, NULL)) return;
  assert_true(q.environment && q.interval_seconds >= 1 && q.elo_widen_seconds >= 1 && q.max_concurrent_per_agent >= 1);
  assert_true(q.fail_on > SEVERITY_UNKNOWN && q.match.timeout_seconds >= 10);
  assert_null(queue_status_patch(&q.status, &q.status));
  owned_free(queue_owned, &q);
}

static void test_damaged_objects(void **state) {
  (void)state;
  static const char spec[] =
      "{\"spec\":{\"owner\":\"alice\",\"environment\":\"pong\",\"agent\":\"a\",\"matchmaking\":{\"priority\":3},"
      "\"participants\":[{\"agent\":\"a\"},{\"agent\":\"b\"}],\"source\":{\"inline\":{\"files\":{\"agent.py\":\"x\"}}},"
      "\"elo\":{\"range\":100},\"match\":{\"moveMilliseconds\":5},\"scan\":{\"failOn\":\"HIGH\"},\"build\":{"
      "\"maxRetries\":2}}}";
  json *environment cleanup_json = new_object("{\"environment\":{\"name\":\"pong\"}}");
  for (unsigned run = 0; run < RUNS; run++) {
    struct random r = {seed + run};
    json *object cleanup_json = new_object(spec);
    struct agent_status a = random_agent(&r), no_agent = {0};
    struct submission_status s = random_submission(&r), no_submission = {0};
    struct match_status m = random_match(&r), no_match = {.seed = -1};
    a.observed = s.observed = m.observed = 1;
    apply(&object, agent_status_patch(&no_agent, &a));
    apply(&object, submission_status_patch(&no_submission, &s));
    apply(&object, match_status_patch(&no_match, &m));
    for (unsigned n = random_below(&r, 20); n > 0; n--) damage(&r, object);
    check_agent(object);
    check_submission(object);
    check_match(object);
    json *spec_now = json_get(object, "spec");
    if (json_object_is_type(spec_now, json_type_object)) merge(spec_now, environment);
    check_queue(object);
    agent_status_done(&a);
    submission_status_done(&s);
    match_status_done(&m);
  }
}

int main(void) {
  seed = random_seed();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_agent), cmocka_unit_test(test_submission),      cmocka_unit_test(test_match),
      cmocka_unit_test(test_queue), cmocka_unit_test(test_damaged_objects),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
