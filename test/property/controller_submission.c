// Whatever builds and scans do, and whenever the controller dies: a Submission comes to the same end.
//
// A script, made from a seed, says for each Job how it will end. The same script is run undisturbed,
// and with the controller killed before random writes; both must agree on everything but the times.
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/memory.h"

#include "builder.h"

enum { RUNS = 12, SUBMISSIONS = 3, LONG = 600 * 1000 };

static uint64_t random_state;

static uint64_t next_random(uint64_t *state) {  // splitmix64
  uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

static unsigned pick(uint64_t *state, unsigned count) {
  assert(count > 0);
  return (unsigned)(next_random(state) % count);
}

// ---- the script ----------------------------------------------------------------------------------

struct script {
  uint64_t seed;
  unsigned luck;  // how many of ten Jobs go well
};

// What becomes of this Job: always the same in one script.
static uint64_t fate(const struct script *s, const char *job) {
  uint64_t state = s->seed;
  for (const char *c = job; *c; c++) state = state * 31 + (unsigned char)*c;
  return next_random(&state);
}

static const char *read_log(struct world *w, const char *pod, const char *container) {
  static char cut[64];
  const struct script *s = w->script;
  uint64_t f = fate(s, pod);
  if (strcmp(container, "report") != 0) return f % 2 ? "fatal: the disk is on fire\n" : "";
  const char *whole = builder_report(DIGEST_B, (int)(f % 3), (int)(f % 2));
  if (f / 7 % 10 < s->luck) return whole;
  snprintf(cut, sizeof(cut), "%s", whole);
  return cut;
}

static void end_build(struct world *w, const char *job, uint64_t f) {
  switch (f / 10 % 8) {
    case 0: builder_refuses(w, job, 10, "HashMismatch", "It has another hash."); break;
    case 1: builder_refuses(w, job, 11, "Unreachable", "Nobody answered."); break;
    case 2: builder_breaks(w, job, "OOMKilled", NULL); break;
    case 3: builder_breaks(w, job, "Error", "error: it broke\n"); break;
    case 4: builder_breaks(w, job, "Error", DIGEST_A); break;
    case 5:
      builder_job_ends(w, job, false, "DeadlineExceeded");
      if (f % 2) builder_pod_ends(w, job, "Failed", NULL, NULL);
      break;
    case 6:
      builder_pod_ends(w, job, "Failed", "Evicted", NULL);
      builder_job_ends(w, job, false, "BackoffLimitExceeded");
      break;
    default: builder_job_ends(w, job, false, "BackoffLimitExceeded"); break;  // nobody saw the Pod
  }
}

static void end_scan(struct world *w, const char *job, uint64_t f) {
  if (f / 10 % 3 == 0) {
    builder_job_ends(w, job, false, "DeadlineExceeded");
    return;
  }
  builder_ends(w, job, "scan", 1, f % 2 ? "Error" : "OOMKilled", f / 30 % 2 ? "FATAL no database\n" : NULL);
  builder_pod_ends(w, job, "Failed", NULL, NULL);
  builder_job_ends(w, job, false, "BackoffLimitExceeded");
}

static void end_job(struct world *w, const char *job) {
  const struct script *s = w->script;
  uint64_t f = fate(s, job);
  bool scan = strstr(job, "-scan-") != NULL;
  if (f % 10 < s->luck && scan)
    builder_scans(w, job);
  else if (f % 10 < s->luck)
    builder_builds(w, job, DIGEST_A);
  else if (scan)
    end_scan(w, job, f);
  else
    end_build(w, job, f);
}

// Ends every Job that still runs; true when there was one.
static bool end_jobs(struct world *w) {
  char *names[64];
  unsigned count = 0;
  map_each (w->objects, e) {
    json *o = map_value(e);
    if (!text_equal(json_text(o, "kind"), "Job") || json_at(o, "status", "conditions", NULL)) continue;
    assert_true(count < 64);
    names[count++] = json_text_copy(json_get(o, "metadata"), "name");
  }
  for (unsigned i = 0; i < count; i++) {
    end_job(w, names[i]);
    free(names[i]);
  }
  return count > 0;
}

// ---- a run ---------------------------------------------------------------------------------------

static void begin(struct world *w, struct script *s) {
  world_init(w);
  w->skip[RECONCILE_AGENT] = w->skip[RECONCILE_MATCH] = w->skip[RECONCILE_QUEUE] = true;
  w->pods_start = false;
  w->read_log = read_log;
  w->script = s;
  world_add_queue(w, "pong");
  world_apply(w, "{'kind':'Agent','metadata':{'name':'ann'},'spec':{'owner':'anna','environment':'pong'}}");
  static const char *const sources[] = {"'inline':{'files':{'agent.py':'x'}}",
                                        "'git':{'url':'https://g.test/a','ref':'main'}", "'image':'r.test/x:1'"};
  for (int i = 0; i < SUBMISSIONS; i++) {
    char text[512];
    snprintf(text, sizeof(text),
             "{'kind':'Submission','metadata':{'name':'s%d'},'spec':{'agent':'ann','source':{%s},'build':{'"
             "timeoutSeconds':900,"
             "'maxRetries':%u}}}",
             i, sources[i], (unsigned)(s->seed % 4));
    w->now += 1000;
    world_apply(w, text);
  }
}

static const char *text_at(struct world *w, int i, const char *path) {
  char name[8];
  snprintf(name, sizeof(name), "s%d", i);
  const char *text = world_text(w, "Submission", name, path);
  return text ? text : "-";
}

// Everything of the statuses that must not depend on when the controller died.
static char *describe(struct world *w) {
  static const char *const types[] = {"Fetched", "Built", "Scanned", "Ready", "Reconciling", "Stalled"};
  struct str text = STR_INIT(16384);
  for (int i = 0; i < SUBMISSIONS; i++) {
    char name[8], path[64];
    snprintf(name, sizeof(name), "s%d", i);
    str_add_format(&text, "%s v%d %s %s", name, (int)world_int(w, "Submission", name, "status.version"),
                   text_at(w, i, "status.phase"), text_at(w, i, "status.image"));
    for (unsigned t = 0; t < array_size(types); t++)
      str_add_format(&text, " %s=%s", types[t], world_condition(w, "Submission", name, types[t]));
    static const char *const lists[] = {"attempts", "scanAttempts"};
    for (unsigned k = 0; k < array_size(lists); k++)
      for (int a = 0; a < ATTEMPTS_MAX; a++) {
        snprintf(path, sizeof(path), "status.%s.%d.reason", lists[k], a);
        str_add_format(&text, " %s", text_at(w, i, path));
      }
    str_add(&text, "\n");
  }
  assert_false(text.failed);
  return str_take(&text);
}

static void check_bounds(struct world *w, const struct script *s) {
  for (int i = 0; i < SUBMISSIONS; i++) {
    char name[8];
    snprintf(name, sizeof(name), "s%d", i);
    assert_true(builder_jobs(w, name, "build") <= s->seed % 4 + 1);
    assert_true(builder_jobs(w, name, "scan") <= 4);
    assert_int_equal(world_int(w, "Submission", name, "status.version"), i + 1);
  }
}

// The controller dies before a write in `every` or so; 0: it lives.
static char *play(struct script *s, unsigned every, uint64_t *random) {
  struct world w;
  begin(&w, s);
  for (msec end = w.now + LONG; w.now < end; w.now += 5000) {
    if (every) w.stop_after = w.writes + pick(random, every);
    world_settle(&w);
    for (int lives = 0; w.dead && lives < 3; lives++) {
      world_restart(&w);
      w.stop_after = w.writes + 2 + pick(random, every);  // who dies before every second request gets nowhere
      world_settle(&w);
    }
    if (w.dead || pick(random, 4) == 0) world_restart(&w);
    w.stop_after = 0;
    end_jobs(&w);
  }
  check_bounds(&w, s);
  char *end = describe(&w);

  const unsigned writes = w.writes;
  world_restart(&w);
  world_wait(&w, LONG, 60000);
  assert_int_equal(w.writes, writes);  // the end is the end
  world_done(&w);
  return end;
}

static void whenever_the_controller_dies_the_end_is_the_same(void **state) {
  (void)state;
  for (int run = 0; run < RUNS; run++) {
    struct script script = {.seed = next_random(&random_state), .luck = (unsigned)(run % 10)};
    cleanup_free char *expected = play(&script, 0, &random_state);
    for (unsigned every = 1; every <= 4; every += 3) {
      cleanup_free char *end = play(&script, every, &random_state);
      assert_string_equal(end, expected);
    }
  }
}

int main(void) {
  const char *given = getenv("PROPERTY_SEED");
  random_state = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
  print_message("# PROPERTY_SEED=%llu\n", (unsigned long long)random_state);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(whenever_the_controller_dies_the_end_is_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
