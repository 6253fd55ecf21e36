// Whatever bytes an executor answers with: a result within its bounds, or a sentence.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arena/wire.h"
#include "base/memory.h"
#include "base/str.h"

#include "executor.pb-c.h"
#include "random.h"

enum { RUNS = 20000, MAX_LENGTH = 1024 };
static uint64_t seed;

static void check(const uint8_t *bytes, size_t length, unsigned *fine) {
  // An exact copy, so that a sanitizer sees a read beyond its end.
  uint8_t *copy cleanup_free = mem_alloc(length);
  memcpy(copy, bytes, length);
  struct wire_result r;
  struct error e = {0};
  if (wire_decode_response(copy, length, &r, &e) != ERR_NONE) {
    assert_int_equal(e.code, ERR_INVALID);
    assert_true(e.text[0] != '\0');
    return;
  }
  (*fine)++;
  assert_true(r.agent_count == 0 || r.agent_count == 2);
  assert_true(r.seed >= 0 && r.milliseconds >= 0 && r.attempt >= 0);
  bool winner_played = r.winner_id == NULL;
  for (unsigned i = 0; i < r.agent_count; i++) {
    assert_true(isfinite(r.agents[i].score) && r.agents[i].errors >= 0 && !text_empty(r.agents[i].id));
    assert_true(r.agents[i].failure <= WIRE_FAILURE_PROTOCOL);
    winner_played |= text_equal(r.winner_id, r.agents[i].id);
  }
  assert_true(winner_played);
  wire_result_done(&r);
}

static void test_random_bytes(void **state) {
  (void)state;
  unsigned fine = 0;
  for (unsigned run = 0; run < RUNS; run++) {
    struct random r = {seed + run};
    uint8_t bytes[MAX_LENGTH];
    size_t length = random_below(&r, random_below(&r, 2) ? 16 : MAX_LENGTH);
    for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)random_below(&r, 256);
    check(bytes, length, &fine);
  }
}

static size_t good_answer(struct random *r, uint8_t *ret) {
  Executor__AgentResult agents[2] = {EXECUTOR__AGENT_RESULT__INIT, EXECUTOR__AGENT_RESULT__INIT};
  Executor__AgentResult *pointers[2] = {&agents[0], &agents[1]};
  Executor__MatchResponse m = EXECUTOR__MATCH_RESPONSE__INIT;
  agents[0].agent_id = (char *)"uid-1";
  agents[1].agent_id = (char *)"uid-2";
  agents[0].score = random_below(r, 100) / 7.0;
  agents[1].error_message = (char *)"illegal move \xC3\xA4";
  agents[1].failure = (Executor__Failure)random_below(r, 7);
  m.match_id = (char *)"m";
  m.status = (Executor__MatchStatus)random_below(r, 5);
  m.winner_agent_id = agents[random_below(r, 2)].agent_id;
  m.agent_results = pointers;
  m.n_agent_results = 2;
  m.seed = random_below(r, 1000);
  m.execution_time_sec = random_below(r, 1000) / 3.0;
  m.replay_url = (char *)"https://e/r.json";
  return executor__match_response__pack(&m, ret);
}

static void test_damaged_answers(void **state) {
  (void)state;
  unsigned fine = 0;
  for (unsigned run = 0; run < RUNS; run++) {
    struct random r = {seed + run};
    uint8_t bytes[MAX_LENGTH];
    size_t length = good_answer(&r, bytes);
    assert_true(length < MAX_LENGTH);
    for (unsigned n = random_below(&r, 4); n > 0; n--) {
      size_t at = random_below(&r, (unsigned)length);
      if (random_below(&r, 8) == 0)
        length = at + 1;
      else
        bytes[at] ^= (uint8_t)(1 << random_below(&r, 8));
    }
    check(bytes, length, &fine);
  }
  assert_true(fine > RUNS / 5);  // the undamaged ones at least
}

int main(void) {
  seed = random_seed();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_bytes),
      cmocka_unit_test(test_damaged_answers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
