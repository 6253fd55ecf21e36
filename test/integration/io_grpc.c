// io/grpc against grpcio: messages, statuses, deadlines, cancellation.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "io/grpc.h"

#include "peer.h"

static struct peer *peer;

struct outcome {
  bool done;
  unsigned calls;
  enum error_code code;
  struct error error;
  struct str message;
};

#define OUTCOME_INIT ((struct outcome){.message = STR_INIT(64 << 20)})

struct fixture {
  uv_loop_t loop;
  struct http *h;
  struct outcome o;
};

static int start_peer(void **state) {
  (void)state;
  peer = peer_start("grpc_peer.py");
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
  x->o = OUTCOME_INIT;
  *state = x;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *x = *state;
  http_free(x->h);
  loop_end(&x->loop);
  str_done(&x->o.message);
  free(x);
  return 0;
}

static void on_done(void *context, const uint8_t *bytes, size_t length, const struct error *e) {
  struct outcome *o = context;
  o->done = true;
  o->calls++;
  o->code = e ? e->code : ERR_NONE;
  if (e)
    o->error = *e;
  else
    str_add_bytes(&o->message, bytes, length);
}

static struct grpc_call *start(struct fixture *x, struct outcome *o, const char *method, const char *message,
                               msec deadline, size_t max) {
  char url[128], path[128];
  snprintf(url, sizeof(url), "http://127.0.0.1:%s", peer_value(peer, "grpc"));
  snprintf(path, sizeof(path), "/test.Peer/%s", method);
  return grpc_start(x->h, &(struct grpc_peer){.url = url}, path, (const uint8_t *)message, strlen(message), deadline,
                    max, on_done, o);
}

// One call to its end.
static void call(struct fixture *x, const char *method, const char *message, msec deadline, size_t max) {
  str_clear(&x->o.message);
  x->o.done = false;
  x->o.calls = 0;
  start(x, &x->o, method, message, deadline, max);
  assert_false(x->o.done);
  loop_until(&x->loop, &x->o.done);
  assert_int_equal(x->o.calls, 1);
}

static void a_message_goes_and_comes_back(void **state) {
  struct fixture *x = *state;
  call(x, "Echo", "some bytes", 5000, 1000);
  assert_int_equal(x->o.code, ERR_NONE);
  assert_string_equal(str_text(&x->o.message), "some bytes");
}

static void a_token_goes_along_where_there_is_one(void **state) {
  struct fixture *x = *state;
  call(x, "Shown", "", 5000, 100);
  assert_string_equal(str_text(&x->o.message), "nothing");
  char url[128];
  snprintf(url, sizeof(url), "http://127.0.0.1:%s", peer_value(peer, "grpc"));
  str_clear(&x->o.message);
  x->o.done = false;
  grpc_start(x->h, &(struct grpc_peer){.url = url, .token = "a-token"}, "/test.Peer/Shown", NULL, 0, 5000, 100, on_done,
             &x->o);
  loop_until(&x->loop, &x->o.done);
  assert_string_equal(str_text(&x->o.message), "Bearer a-token");
}

static void an_empty_message_is_a_message(void **state) {
  struct fixture *x = *state;
  call(x, "Echo", "", 5000, 0);
  assert_int_equal(x->o.code, ERR_NONE);
  assert_int_equal(x->o.message.length, 0);
}

static void large_messages_pass_both_ways(void **state) {
  struct fixture *x = *state;
  enum { SIZE = 3 << 20 };  // more than HTTP/2's first window
  char *message = mem_alloc(SIZE + 1);
  memset(message, 'm', SIZE);
  call(x, "Echo", message, 30000, SIZE);
  assert_int_equal(x->o.code, ERR_NONE);
  assert_int_equal(x->o.message.length, SIZE);
  assert_string_equal(str_text(&x->o.message), message);
  free(message);
}

static void a_response_has_its_bound(void **state) {
  struct fixture *x = *state;
  call(x, "Big", "1000", 5000, 1000);
  assert_int_equal(x->o.code, ERR_NONE);
  call(x, "Big", "1001", 5000, 1000);
  assert_int_equal(x->o.code, ERR_TOO_LARGE);
}

static void statuses_become_errors(void **state) {
  static const struct {
    const char *request, *text;
    enum error_code code;
  } cases[] = {
      {"1 stop", "CANCELLED: stop", ERR_CANCELLED},
      {"2 what", "UNKNOWN: what", ERR_INTERNAL},
      {"3 no such environment", "INVALID_ARGUMENT: no such environment", ERR_INVALID},
      {"4 too late", "DEADLINE_EXCEEDED: too late", ERR_TIMEOUT},
      {"5 gone", "NOT_FOUND: gone", ERR_NOT_FOUND},
      {"8 four matches run already", "RESOURCE_EXHAUSTED: four matches run already", ERR_BUSY},
      {"9 not now", "FAILED_PRECONDITION: not now", ERR_INVALID},
      {"13 bug", "INTERNAL: bug", ERR_INTERNAL},
      {"14 shutting down", "UNAVAILABLE: shutting down", ERR_UNAVAILABLE},
      {"16 who", "UNAUTHENTICATED: who", ERR_FORBIDDEN},
      {"3 f\xC3\xBCr 100%, \xE2\x82\xAC", "INVALID_ARGUMENT: f\xC3\xBCr 100%, \xE2\x82\xAC", ERR_INVALID},
  };
  struct fixture *x = *state;
  for (size_t i = 0; i < array_size(cases); i++) {
    call(x, "Fail", cases[i].request, 5000, 1000);
    assert_int_equal(x->o.code, cases[i].code);
    assert_string_equal(x->o.error.text, cases[i].text);
  }
}

static void an_unknown_method_is_invalid(void **state) {
  struct fixture *x = *state;
  call(x, "Nothing", "", 5000, 1000);
  assert_int_equal(x->o.code, ERR_INVALID);
  assert_true(text_starts(x->o.error.text, "UNIMPLEMENTED"));
}

static void the_server_is_told_the_deadline(void **state) {
  struct fixture *x = *state;
  call(x, "Remaining", "", 7000000, 100);
  assert_string_equal(str_text(&x->o.message), "7000");
  call(x, "Remaining", "", 200000000, 100);  // nine digits of milliseconds are one too many
  assert_string_equal(str_text(&x->o.message), "200000");
  call(x, "Remaining", "", 0, 100);
  assert_string_equal(str_text(&x->o.message), "none");
}

static void a_deadline_that_passes_is_a_timeout(void **state) {
  struct fixture *x = *state;
  call(x, "Hang", "", 100, 100);
  assert_int_equal(x->o.code, ERR_TIMEOUT);
  call(x, "HasBegun", "", 0, 100);
  call(x, "WasCancelled", "", 0, 100);
  assert_string_equal(str_text(&x->o.message), "yes");
}

static void never(void *context, const uint8_t *bytes, size_t length, const struct error *e) {
  (void)context, (void)bytes, (void)length;
  fail_msg("called about a cancelled call: %s", e ? e->text : "an answer");
}

static void the_server_sees_a_cancellation(void **state) {
  struct fixture *x = *state;
  char url[128];
  snprintf(url, sizeof(url), "http://127.0.0.1:%s", peer_value(peer, "grpc"));
  struct grpc_call *hanging =
      grpc_start(x->h, &(struct grpc_peer){.url = url}, "/test.Peer/Hang", NULL, 0, 0, 100, never, NULL);
  call(x, "Echo", "the server has the other one, too, by now or soon", 0, 100);
  // Cancelled only after it has begun, or there would be nothing to see.
  struct outcome begun = OUTCOME_INIT;
  start(x, &begun, "HasBegun", "", 0, 100);
  loop_until(&x->loop, &begun.done);
  assert_int_equal(begun.code, ERR_NONE);
  grpc_cancel(hanging);
  call(x, "WasCancelled", "", 0, 100);
  assert_string_equal(str_text(&x->o.message), "yes");
  grpc_cancel(NULL);
  str_done(&begun.message);
}

// libcurl 7.88 would fail each second call on a reused connection.
static void calls_after_one_another_and_at_once_all_work(void **state) {
  struct fixture *x = *state;
  for (int i = 0; i < 20; i++) {
    call(x, "Echo", "again", 5000, 100);
    assert_int_equal(x->o.code, ERR_NONE);
  }
  struct outcome many[30];
  for (size_t i = 0; i < array_size(many); i++) {
    many[i] = OUTCOME_INIT;
    start(x, &many[i], "Echo", "at once", 30000, 100);
  }
  for (size_t i = 0; i < array_size(many); i++) {
    loop_until(&x->loop, &many[i].done);
    assert_int_equal(many[i].code, ERR_NONE);
    assert_string_equal(str_text(&many[i].message), "at once");
    str_done(&many[i].message);
  }
}

static enum error_code call_elsewhere(struct fixture *x, const char *port, msec deadline) {
  char url[128];
  snprintf(url, sizeof(url), "http://127.0.0.1:%s", port);
  grpc_start(x->h, &(struct grpc_peer){.url = url}, "/test.Peer/Echo", NULL, 0, deadline, 100, on_done, &x->o);
  loop_until(&x->loop, &x->o.done);
  return x->o.code;
}

static void nobody_there_is_unavailable(void **state) {
  assert_int_equal(call_elsewhere(*state, "1", 5000), ERR_UNAVAILABLE);
}

static void a_broken_connection_is_unavailable(void **state) {
  assert_int_equal(call_elsewhere(*state, peer_value(peer, "hang-up"), 60000), ERR_UNAVAILABLE);
}

// Servers may end an overdue call without a status: the deadline explains it better than the cut does.
static void a_connection_broken_after_the_deadline_is_a_timeout(void **state) {
  assert_int_equal(call_elsewhere(*state, peer_value(peer, "hang-up"), 10), ERR_TIMEOUT);
}

static void a_mute_server_is_not_waited_for(void **state) {
  assert_int_equal(call_elsewhere(*state, peer_value(peer, "mute"), 10), ERR_TIMEOUT);
}

static void the_server_dies_under_a_call(void **state) {
  struct fixture *x = *state;
  start(x, &x->o, "Die", "", 0, 100);
  loop_until(&x->loop, &x->o.done);
  assert_int_equal(x->o.code, ERR_UNAVAILABLE);
}

#define with_client(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      with_client(a_message_goes_and_comes_back),
      with_client(a_token_goes_along_where_there_is_one),
      with_client(an_empty_message_is_a_message),
      with_client(large_messages_pass_both_ways),
      with_client(a_response_has_its_bound),
      with_client(statuses_become_errors),
      with_client(an_unknown_method_is_invalid),
      with_client(the_server_is_told_the_deadline),
      with_client(a_deadline_that_passes_is_a_timeout),
      with_client(the_server_sees_a_cancellation),
      with_client(calls_after_one_another_and_at_once_all_work),
      with_client(nobody_there_is_unavailable),
      with_client(a_broken_connection_is_unavailable),
      with_client(a_connection_broken_after_the_deadline_is_a_timeout),
      with_client(a_mute_server_is_not_waited_for),
      with_client(the_server_dies_under_a_call),  // the last one: it takes the peer along
  };
  return cmocka_run_group_tests(tests, start_peer, stop_peer);
}
