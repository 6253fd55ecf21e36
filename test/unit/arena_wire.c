#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arena/wire.h"
#include "base/memory.h"

#include "executor.pb-c.h"

static const char hash[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static void test_request(void **state) {
  (void)state;
  struct wire_request r = {
      .match_id = "m-uid",
      .environment = "pong",
      .agents = {{.id = "a",
                  .name = "alice",
                  .image = "i@sha256:0",
                  .version = "3",
                  .endpoint = "10.0.0.1:50051",
                  .token = "t"},
                 {.id = "b", .name = "bob", .failure = "it never started"}},
      .agent_count = 2,
      .timeout_seconds = 300,
      .attempt = 2,
      .startup_ms = 30000,
      .move_ms = 1000,
      .bank_ms = 10000,
      .record_replay = true,
      .seed = UINT64_C(9007199254740991),
  };
  size_t length;
  uint8_t *bytes cleanup_free = wire_encode_request(&r, &length);
  Executor__MatchRequest *m = executor__match_request__unpack(NULL, length, bytes);
  assert_non_null(m);
  assert_string_equal(m->match_id, "m-uid");
  assert_string_equal(m->environment, "pong");
  assert_int_equal(m->n_agents, 2);
  assert_string_equal(m->agents[0]->agent_id, "a");
  assert_string_equal(m->agents[0]->name, "alice");
  assert_string_equal(m->agents[0]->docker_image, "i@sha256:0");
  assert_string_equal(m->agents[0]->version, "3");
  assert_string_equal(m->agents[0]->endpoint, "10.0.0.1:50051");
  assert_string_equal(m->agents[0]->failure, "");
  assert_string_equal(m->agents[0]->token, "t");
  assert_string_equal(m->agents[1]->token, "");
  assert_string_equal(m->agents[1]->failure, "it never started");
  assert_string_equal(m->agents[1]->endpoint, "");
  assert_int_equal(m->timeout_sec, 300);
  assert_int_equal(m->attempt, 2);
  assert_true(m->record_replay);
  assert_true(m->seed == UINT64_C(9007199254740991));
  assert_int_equal(m->limits->startup_ms, 30000);
  assert_int_equal(m->limits->move_ms, 1000);
  assert_int_equal(m->limits->bank_ms, 10000);
  executor__match_request__free_unpacked(m, NULL);
}

// A good answer; a case changes one thing about it.
struct answer {
  Executor__AgentResult agents[3], *pointers[3];
  Executor__MatchResponse m;
};

static void answer_init(struct answer *a) {
  static const char *const ids[] = {"a", "b", "c"};
  executor__match_response__init(&a->m);
  for (int i = 0; i < 3; i++) {
    executor__agent_result__init(&a->agents[i]);
    a->agents[i].agent_id = (char *)(uintptr_t)ids[i];
    a->pointers[i] = &a->agents[i];
  }
  a->agents[0].score = 1;
  a->agents[1].score = -1;
  a->m.agent_results = a->pointers;
  a->m.n_agent_results = 2;
  a->m.match_id = (char *)"m-uid";
  a->m.status = EXECUTOR__MATCH_STATUS__SUCCESS;
  a->m.winner_agent_id = (char *)"a";
  a->m.total_steps = 77;
  a->m.execution_time_sec = 1.2345;
  a->m.attempt = 1;
  a->m.seed = 5;
  a->m.environment_version = (char *)"1.2";
  a->m.replay_url = (char *)"http://e/r.json";
  a->m.replay_sha256 = (char *)(uintptr_t)hash;
}

static enum error_code decode(const struct answer *a, struct wire_result *ret, struct error *e) {
  size_t length = executor__match_response__get_packed_size(&a->m);
  uint8_t *bytes cleanup_free = mem_alloc(length);
  executor__match_response__pack(&a->m, bytes);
  return wire_decode_response(bytes, length, ret, e);
}

static void test_response(void **state) {
  (void)state;
  struct answer a;
  answer_init(&a);
  a.agents[1].failure = EXECUTOR__FAILURE__FAILURE_LATE;
  a.agents[1].errors = UINT32_MAX;
  a.agents[1].error_message = (char *)"too slow \xFF";
  struct wire_result r;
  struct error e = {0};
  assert_int_equal(decode(&a, &r, &e), ERR_NONE);
  assert_string_equal(r.match_id, "m-uid");
  assert_int_equal(r.status, WIRE_SUCCESS);
  assert_string_equal(r.winner_id, "a");
  assert_int_equal(r.agent_count, 2);
  assert_string_equal(r.agents[0].id, "a");
  assert_true(r.agents[0].score == 1 && r.agents[1].score == -1);
  assert_null(r.agents[0].error_message);
  assert_int_equal(r.agents[1].failure, WIRE_FAILURE_LATE);
  assert_int_equal(r.agents[1].errors, INT32_MAX);
  assert_string_equal(r.agents[1].error_message, "too slow \xEF\xBF\xBD");
  assert_int_equal(r.steps, 77);
  assert_int_equal(r.milliseconds, 1235);
  assert_int_equal(r.seed, 5);
  assert_int_equal(r.attempt, 1);
  assert_string_equal(r.environment_version, "1.2");
  assert_string_equal(r.replay_url, "http://e/r.json");
  assert_string_equal(r.replay_sha256, hash);
  assert_null(r.replay_html_url);
  assert_null(r.error_message);
  wire_result_done(&r);
}

static void no_winner(struct answer *a) {
  a->m.winner_agent_id = (char *)"";
}
static void new_failure(struct answer *a) {
  a->agents[0].failure = (Executor__Failure)99;
}
static void new_status(struct answer *a) {
  a->m.status = (Executor__MatchStatus)99;
}
static void long_text(struct answer *a) {
  static char text[3000];
  memset(text, 'x', sizeof(text) - 1);
  a->m.error_message = text;
}
static void platform_error(struct answer *a) {
  a->m.status = EXECUTOR__MATCH_STATUS__ERROR;
  a->m.n_agent_results = 0;
  a->m.winner_agent_id = (char *)"";
}

static void test_what_is_put_up_with(void **state) {
  (void)state;
  void (*const changes[])(struct answer *) = {no_winner, new_failure, new_status, long_text, platform_error};
  for (size_t i = 0; i < array_size(changes); i++) {
    struct answer a;
    answer_init(&a);
    changes[i](&a);
    struct wire_result r;
    assert_int_equal(decode(&a, &r, NULL), ERR_NONE);
    assert_true((r.winner_id == NULL) == (changes[i] == no_winner || changes[i] == platform_error));
    if (changes[i] == new_failure) assert_int_equal(r.agents[0].failure, WIRE_FAILURE_PROTOCOL);
    if (changes[i] == new_status) assert_int_equal(r.status, WIRE_UNKNOWN);
    if (changes[i] == long_text) assert_int_equal(strlen(r.error_message), 1024);
    assert_int_equal(r.agent_count, changes[i] == platform_error ? 0 : 2);
    wire_result_done(&r);
  }
}

static void bad_winner(struct answer *a) {
  a->m.winner_agent_id = (char *)"c";
}
static void one_agent(struct answer *a) {
  a->m.n_agent_results = 1;
}
static void three_agents(struct answer *a) {
  a->m.n_agent_results = 3;
}
static void no_agents(struct answer *a) {
  a->m.n_agent_results = 0;
  a->m.winner_agent_id = (char *)"";
}
static void same_agent(struct answer *a) {
  a->agents[1].agent_id = (char *)"a";
}
static void nameless_agent(struct answer *a) {
  a->agents[1].agent_id = (char *)"";
}
static void not_a_number(struct answer *a) {
  a->agents[1].score = 0.0 / 0.0;
}
static void infinite(struct answer *a) {
  a->agents[1].score = 1.0 / 0.0;
}
static void huge_score(struct answer *a) {
  a->agents[1].score = -1e13;
}
static void no_match(struct answer *a) {
  a->m.match_id = (char *)"";
}
static void big_seed(struct answer *a) {
  a->m.seed = UINT64_C(1) << 53;
}
static void big_attempt(struct answer *a) {
  a->m.attempt = UINT32_MAX;
}
static void negative_time(struct answer *a) {
  a->m.execution_time_sec = -1;
}
static void no_time(struct answer *a) {
  a->m.execution_time_sec = 0.0 / 0.0;
}
static void script_url(struct answer *a) {
  a->m.replay_html_url = (char *)"javascript:alert(1)";
}
static void short_hash(struct answer *a) {
  a->m.replay_html_sha256 = (char *)"0123";
}
static void long_hash(struct answer *a) {
  static char text[sizeof(hash) + 1];
  memset(text, 'a', sizeof(hash));
  a->m.replay_sha256 = text;
}
static void long_url(struct answer *a) {
  static char text[2100];
  memset(text, 'x', sizeof(text) - 1);
  memcpy(text, "http://", 7);
  a->m.replay_url = text;
}
static void huge_message(struct answer *a) {
  static char text[300000];
  memset(text, 'x', sizeof(text) - 1);
  a->m.error_message = text;
}

static void test_what_is_refused(void **state) {
  (void)state;
  void (*const changes[])(struct answer *) = {
      bad_winner, one_agent,  three_agents, no_agents, same_agent,   nameless_agent, not_a_number,
      infinite,   huge_score, no_match,     big_seed,  big_attempt,  negative_time,  no_time,
      script_url, short_hash, long_hash,    long_url,  huge_message,
  };
  for (size_t i = 0; i < array_size(changes); i++) {
    struct answer a;
    answer_init(&a);
    changes[i](&a);
    struct wire_result r;
    struct error e = {0};
    assert_int_equal(decode(&a, &r, &e), ERR_INVALID);
    assert_int_equal(strncmp(e.text, "executor's answer", 17), 0);
  }
  struct error e = {0};
  assert_int_equal(wire_decode_response((const uint8_t *)"\xFF", 1, NULL, &e), ERR_INVALID);
  assert_int_equal(wire_decode_response((const uint8_t *)"", 0, NULL, &e), ERR_INVALID);
}

static enum error_code decode_environments(size_t count, const char *name, struct wire_environments *ret) {
  Executor__Environment one = EXECUTOR__ENVIRONMENT__INIT, *all[WIRE_ENVIRONMENTS_MAX + 1];
  one.name = (char *)(uintptr_t)name;
  for (size_t i = 0; i < count; i++) all[i] = &one;
  Executor__ListEnvironmentsResponse m = EXECUTOR__LIST_ENVIRONMENTS_RESPONSE__INIT;
  m.n_environments = count;
  m.environments = all;
  const size_t length = executor__list_environments_response__get_packed_size(&m);
  uint8_t *bytes cleanup_free = mem_alloc(length + 1);
  executor__list_environments_response__pack(&m, bytes);
  struct error e = {0};
  return wire_decode_environments(bytes, length, ret, &e);
}

static void test_environments(void **state) {
  (void)state;
  struct wire_environments l = {0};
  assert_int_equal(decode_environments(WIRE_ENVIRONMENTS_MAX, "pong", &l), ERR_NONE);
  assert_true(l.known);
  assert_int_equal(l.count, WIRE_ENVIRONMENTS_MAX);
  assert_true(wire_environments_have(&l, "pong"));
  assert_false(wire_environments_have(&l, "pon"));
  wire_environments_done(&l);
  assert_false(l.known);
  assert_int_equal(decode_environments(0, NULL, &l), ERR_NONE);
  assert_true(l.known && l.count == 0);
  assert_int_equal(decode_environments(WIRE_ENVIRONMENTS_MAX + 1, "pong", &l), ERR_INVALID);
  struct error e = {0};
  assert_int_equal(wire_decode_environments((const uint8_t *)"\xFF", 1, &l, &e), ERR_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_request),
      cmocka_unit_test(test_response),
      cmocka_unit_test(test_what_is_put_up_with),
      cmocka_unit_test(test_what_is_refused),
      cmocka_unit_test(test_environments),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
