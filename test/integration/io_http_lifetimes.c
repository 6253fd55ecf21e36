// io/http: what callbacks may do. Starting, cancelling and freeing from inside any of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "io/timer.h"

#include "fetched.h"
#include "peer.h"

static struct peer *peer;

// A watch that goes on for ever, beside another request.
struct fixture {
  uv_loop_t loop;
  struct http *h;
  struct fetched watch, other;
  struct http_request *watch_request, *other_request;
  bool acted;
  bool cancelled_itself;
};

static int start_peer(void **state) {
  (void)state;
  peer = peer_start("http_peer.py");
  return 0;
}

static int stop_peer(void **state) {
  (void)state;
  peer_stop(peer);
  return 0;
}

static int set_up(void **state) {
  struct fixture *x = mem_alloc(sizeof(*x));
  uv_loop_init(&x->loop);
  x->h = http_new(&x->loop);
  x->watch = x->other = FETCHED_INIT;
  *state = x;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *x = *state;
  http_free(x->h);
  loop_end(&x->loop);
  fetched_done(&x->watch);
  fetched_done(&x->other);
  free(x);
  return 0;
}

static const char *url_of(const char *path) {
  static char url[512];
  snprintf(url, sizeof(url), "http://127.0.0.1:%s%s", peer_value(peer, "http"), path);
  return url;
}

static void start_other(struct fixture *x, const char *path) {
  x->other_request = fetched_start(&x->other, x->h, (struct http_options){.url = url_of(path), .timeout = -1}, false);
}

static void start_watch(struct fixture *x, http_data_fn *data, http_done_fn *done) {
  x->watch_request = http_start(x->h, &(struct http_options){.method = "GET",
                                                             .url = url_of("/stream?count=1&hold=1"),
                                                             .timeout = -1,
                                                             .data = data,
                                                             .done = done,
                                                             .context = x});
}

// Whatever might still come about a cancelled request would come during a whole exchange with the server.
static void let_things_happen(struct fixture *x) {
  struct fetched f = FETCHED_INIT;
  fetched_start(&f, x->h, (struct http_options){.url = url_of("/hello")}, false);
  loop_until(&x->loop, &f.done);
  assert_int_equal(f.status, 200);
  fetched_done(&f);
}

static void never(void *context, const struct http_response *response, const struct error *e) {
  (void)context, (void)response;
  fail_msg("called about a cancelled request: %s", e ? e->text : "an answer");
}

static void on_watch_done(void *context, const struct http_response *response, const struct error *e) {
  fetched_on_done(&((struct fixture *)context)->watch, response, e);
}

// ---- cancel ----

static void cancelled_before_it_began_says_nothing(void **state) {
  struct fixture *x = *state;
  http_cancel(http_start(x->h, &(struct http_options){.method = "GET", .url = url_of("/hello"), .done = never}));
  http_cancel(http_start(x->h, &(struct http_options){.method = "GET", .url = url_of("/silent"), .done = never}));
  http_cancel(NULL);
  let_things_happen(x);
}

static bool cancel_both(void *context, const char *bytes, size_t length) {
  (void)bytes, (void)length;
  struct fixture *x = context;
  assert_false(x->acted);
  x->acted = true;
  http_cancel(x->watch_request);
  http_cancel(x->other_request);
  return true;
}

static void data_may_cancel_itself_and_another(void **state) {
  struct fixture *x = *state;
  start_other(x, "/silent");
  start_watch(x, cancel_both, never);
  loop_until(&x->loop, &x->acted);
  let_things_happen(x);
  assert_false(x->other.done);
}

static void cancel_from_done(void *context, const struct http_response *response, const struct error *e) {
  struct fixture *x = context;
  assert_int_equal(response->status, 200);
  assert_null(e);
  http_cancel(x->other_request);
  http_cancel(x->watch_request);  // this one: it is freed when we return
  x->acted = true;
}

static void done_may_cancel_itself_and_another(void **state) {
  struct fixture *x = *state;
  start_other(x, "/stream?count=1&hold=1");
  x->watch_request = http_start(
      x->h, &(struct http_options){.method = "GET", .url = url_of("/hello"), .done = cancel_from_done, .context = x});
  loop_until(&x->loop, &x->acted);
  let_things_happen(x);
  assert_false(x->other.done);
}

static void cancel_watch(void *context) {
  struct fixture *x = context;
  http_cancel(x->watch_request);
  x->cancelled_itself = true;
}

static bool note(void *context, const char *bytes, size_t length) {
  (void)bytes, (void)length;
  ((struct fixture *)context)->acted = true;
  return true;
}

static void a_running_watch_is_cancelled_from_a_timer(void **state) {
  struct fixture *x = *state;
  start_watch(x, note, never);
  loop_until(&x->loop, &x->acted);
  struct timer *t = timer_new(&x->loop, cancel_watch, x);
  timer_set(t, 0);
  loop_until(&x->loop, &x->cancelled_itself);
  let_things_happen(x);
  timer_free(t);
}

// ---- start ----

static bool start_from_data(void *context, const char *bytes, size_t length) {
  (void)bytes, (void)length;
  start_other(context, "/hello");
  return true;
}

static void data_may_start_another(void **state) {
  struct fixture *x = *state;
  start_watch(x, start_from_data, on_watch_done);
  loop_until(&x->loop, &x->other.done);
  assert_string_equal(str_text(&x->other.body), "hello");
  assert_false(x->watch.done);
}

static bool start_and_cancel(void *context, const char *bytes, size_t length) {
  (void)bytes, (void)length;
  struct fixture *x = context;
  start_other(x, "/hello");
  http_cancel(x->other_request);
  x->acted = true;
  return true;
}

static void data_may_start_another_and_think_better_of_it(void **state) {
  struct fixture *x = *state;
  start_watch(x, start_and_cancel, on_watch_done);
  loop_until(&x->loop, &x->acted);
  let_things_happen(x);
  assert_false(x->other.done);
  assert_false(x->watch.done);
}

static void start_from_done(void *context, const struct http_response *response, const struct error *e) {
  (void)response, (void)e;
  start_other(context, "/hello");
}

static void done_may_start_another(void **state) {
  struct fixture *x = *state;
  http_start(x->h,
             &(struct http_options){.method = "GET", .url = url_of("/hello"), .done = start_from_done, .context = x});
  loop_until(&x->loop, &x->other.done);
  assert_string_equal(str_text(&x->other.body), "hello");
}

static bool start_bad_from_data(void *context, const char *bytes, size_t length) {
  (void)bytes, (void)length;
  struct fixture *x = context;
  char *url = mem_alloc(8000100);
  memset(url, 'a', 8000099);
  fetched_start(&x->other, x->h, (struct http_options){.url = url}, false);
  free(url);
  return true;
}

static void what_cannot_start_is_told_later_from_data_too(void **state) {
  struct fixture *x = *state;
  start_watch(x, start_bad_from_data, on_watch_done);
  loop_until(&x->loop, &x->other.done);
  assert_int_equal(x->other.code, ERR_INVALID);
}

// ---- free ----

static void free_from_done(void *context, const struct http_response *response, const struct error *e) {
  (void)response, (void)e;
  struct fixture *x = context;
  http_free(x->h);
  x->h = NULL;
  x->acted = true;
}

static void done_may_free_the_client(void **state) {
  struct fixture *x = *state;
  start_watch(x, note, never);
  start_other(x, "/silent");
  http_start(x->h,
             &(struct http_options){.method = "GET", .url = url_of("/hello"), .done = free_from_done, .context = x});
  x->acted = false;
  while (x->h) uv_run(&x->loop, UV_RUN_ONCE);
  loop_until(&x->loop, &x->acted);
  assert_false(x->other.done);
}

static bool free_from_data(void *context, const char *bytes, size_t length) {
  free_from_done(context, NULL, NULL);
  (void)bytes, (void)length;
  return true;
}

static void data_may_free_the_client(void **state) {
  struct fixture *x = *state;
  start_other(x, "/silent");
  start_watch(x, free_from_data, never);
  loop_until(&x->loop, &x->acted);
  assert_false(x->other.done);
}

static void an_idle_timeout_may_free_the_client(void **state) {
  struct fixture *x = *state;
  start_other(x, "/silent");
  http_start(x->h, &(struct http_options){.method = "GET",
                                          .url = url_of("/silent"),
                                          .timeout = -1,
                                          .idle_timeout = 50,
                                          .done = free_from_done,
                                          .context = x});
  loop_until(&x->loop, &x->acted);
  assert_false(x->other.done);
}

static void freeing_an_idle_client_is_quiet(void **state) {
  (void)state;  // set-up and tear-down do it; and once more without a client
  http_free(NULL);
}

#define with_client(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      with_client(cancelled_before_it_began_says_nothing),
      with_client(data_may_cancel_itself_and_another),
      with_client(done_may_cancel_itself_and_another),
      with_client(a_running_watch_is_cancelled_from_a_timer),
      with_client(data_may_start_another),
      with_client(data_may_start_another_and_think_better_of_it),
      with_client(done_may_start_another),
      with_client(what_cannot_start_is_told_later_from_data_too),
      with_client(done_may_free_the_client),
      with_client(data_may_free_the_client),
      with_client(an_idle_timeout_may_free_the_client),
      with_client(freeing_an_idle_client_is_quiet),
  };
  return cmocka_run_group_tests(tests, start_peer, stop_peer);
}
