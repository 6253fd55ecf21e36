#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "io/work.h"

enum { PIECES = 40, ROUNDS = 100000 };

// What a piece touches: its own alone. `turn` is where all pieces of a test meet, on the loop.
struct piece {
  unsigned long sum;
  unsigned runs, dones;
  unsigned *turn, order;
  struct work *next;  // starts another when it is done
  struct piece *follower;
  uv_sem_t *opens, *waits;
  unsigned long more;  // rounds
};

static void compute(void *data) {
  struct piece *p = data;
  if (p->waits) uv_sem_wait(p->waits);
  p->runs++;
  for (unsigned long i = 0; i < ROUNDS + p->more; i++) p->sum += i ^ (p->sum << 1);
}

static void finished(void *data) {
  struct piece *p = data;
  p->dones++;
  p->order = (*p->turn)++;
  if (p->opens) uv_sem_post(p->opens);
  if (p->follower) assert_true(work_start(p->next, compute, finished, p->follower));
}

static void everything_is_computed_once(void **state) {
  (void)state;
  uv_loop_t loop;
  uv_loop_init(&loop);
  struct work *w = work_new(&loop, 2, PIECES);
  struct piece pieces[PIECES] = {0};
  unsigned turn = 0;
  for (unsigned i = 0; i < PIECES; i++) {
    pieces[i].turn = &turn;
    assert_true(work_start(w, compute, finished, &pieces[i]));
    assert_int_equal(pieces[i].dones, 0);  // never from inside
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  for (unsigned i = 0; i < PIECES; i++) {
    assert_int_equal(pieces[i].runs, 1);
    assert_int_equal(pieces[i].dones, 1);
    assert_int_equal(pieces[i].sum, pieces[0].sum);
  }
  work_free(w);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_full_line_takes_nothing(void **state) {
  (void)state;
  uv_loop_t loop;
  uv_loop_init(&loop);
  struct work *w = work_new(&loop, 1, 2);
  struct piece pieces[4] = {0};
  unsigned turn = 0;
  for (unsigned i = 0; i < 4; i++) {
    pieces[i].turn = &turn;
    assert_int_equal(work_start(w, compute, finished, &pieces[i]), i < 3);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(turn, 3);
  for (unsigned i = 0; i < 3; i++) assert_int_equal(pieces[i].order, i);  // one at a time: in their order
  assert_int_equal(pieces[3].runs, 0);
  assert_true(work_start(w, compute, finished, &pieces[3]));  // there is room again
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(pieces[3].dones, 1);
  work_free(w);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
}

static void one_piece_starts_the_next(void **state) {
  (void)state;
  uv_loop_t loop;
  uv_loop_init(&loop);
  struct work *w = work_new(&loop, 1, 0);
  struct piece pieces[3] = {0};
  unsigned turn = 0;
  for (unsigned i = 0; i < 3; i++)
    pieces[i] = (struct piece){.turn = &turn, .next = w, .follower = i < 2 ? &pieces[i + 1] : NULL};
  assert_true(work_start(w, compute, finished, &pieces[0]));
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(turn, 3);
  work_free(w);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
}

static void freeing_brings_all_to_an_end(void **state) {
  (void)state;
  uv_loop_t loop;
  uv_loop_init(&loop);
  struct work *w = work_new(&loop, 3, PIECES);
  struct piece pieces[PIECES] = {0};
  unsigned turn = 0;
  for (unsigned i = 0; i < PIECES; i++) {
    pieces[i].turn = &turn;
    assert_true(work_start(w, compute, finished, &pieces[i]));
  }
  uv_run(&loop, UV_RUN_NOWAIT);
  work_free(w);
  for (unsigned i = 0; i < PIECES; i++) assert_int_equal(pieces[i].dones, 1);
  uv_run(&loop, UV_RUN_DEFAULT);
  for (unsigned i = 0; i < PIECES; i++) assert_int_equal(pieces[i].dones, 1);
  assert_int_equal(uv_loop_close(&loop), 0);
}

// The second can not begin before the first is done with, which is in the middle of freeing; then it takes a while.
static void freeing_waits_for_what_is_under_way(void **state) {
  (void)state;
  uv_loop_t loop;
  uv_loop_init(&loop);
  uv_sem_t door;
  assert_int_equal(uv_sem_init(&door, 0), 0);
  struct work *w = work_new(&loop, 2, 0);
  unsigned turn = 0;
  struct piece first = {.turn = &turn, .opens = &door}, second = {.turn = &turn, .waits = &door, .more = 100 * ROUNDS};
  assert_true(work_start(w, compute, finished, &first));
  assert_true(work_start(w, compute, finished, &second));
  work_free(w);
  assert_int_equal(first.dones + second.dones, 2);
  assert_int_equal(second.order, 1);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
  uv_sem_destroy(&door);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(everything_is_computed_once),         cmocka_unit_test(a_full_line_takes_nothing),
      cmocka_unit_test(one_piece_starts_the_next),           cmocka_unit_test(freeing_brings_all_to_an_end),
      cmocka_unit_test(freeing_waits_for_what_is_under_way),
  };
  work_free(NULL);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
