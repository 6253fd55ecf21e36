// io/http against a real server: what is sent, what comes back, and what each failure is called.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/memory.h"

#include "fetched.h"
#include "peer.h"

static struct peer *peer;

struct fixture {
  uv_loop_t loop;
  struct http *h;
  struct fetched f;
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
  x->f = FETCHED_INIT;
  *state = x;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *x = *state;
  http_free(x->h);
  loop_end(&x->loop);
  fetched_done(&x->f);
  free(x);
  return 0;
}

static char *url_of(const char *scheme, const char *port, const char *path) {
  static char url[512];
  snprintf(url, sizeof(url), "%s://127.0.0.1:%s%s", scheme, peer_value(peer, port), path);
  return url;
}

// One request to the clear-text server, to its end.
static void fetch(struct fixture *x, const char *path, struct http_options o, bool stream) {
  if (!o.url) o.url = url_of("http", "http", path);
  fetched_start(&x->f, x->h, o, stream);
  assert_false(x->f.done);  // never from inside http_start
  loop_until(&x->loop, &x->f.done);
  assert_int_equal(x->f.calls, 1);
}

static void get_gives_the_answer(void **state) {
  struct fixture *x = *state;
  fetch(x, "/hello", (struct http_options){0}, false);
  assert_int_equal(x->f.code, ERR_NONE);
  assert_int_equal(x->f.status, 200);
  assert_string_equal(str_text(&x->f.body), "hello");
  assert_true(x->f.seconds > 0);
  assert_int_equal(x->f.retry_after_ms, 0);
}

static json *echo(struct fixture *x, struct http_options o) {
  fetch(x, "/echo", o, false);
  assert_int_equal(x->f.code, ERR_NONE);
  json *seen = json_parse(x->f.body.data, x->f.body.length, NULL);
  assert_non_null(seen);
  assert_string_equal(json_text(seen, "method"), o.method);
  return seen;
}

static void post_sends_body_and_headers(void **state) {
  static const char *const headers[] = {"Content-Type: application/json", "Authorization: Bearer x", NULL};
  static char body[(1 << 20) + 1];  // from here on libcurl would ask "Expect: 100-continue"
  memset(body, 'b', sizeof(body));
  json *seen = echo(
      *state, (struct http_options){.method = "POST", .headers = headers, .body = body, .body_length = sizeof(body)});
  assert_int_equal(strlen(json_text(seen, "body")), sizeof(body));
  assert_string_equal(json_text(json_get(seen, "headers"), "content-type"), "application/json");
  assert_string_equal(json_text(json_get(seen, "headers"), "authorization"), "Bearer x");
  assert_null(json_get(json_get(seen, "headers"), "expect"));
  json_put(&seen);
}

static void other_methods_go_out_as_they_are(void **state) {
  static const char *const methods[] = {"PUT", "PATCH", "DELETE", "POST"};
  struct fixture *x = *state;
  for (size_t i = 0; i < array_size(methods); i++) {
    bool body = i < 2;
    str_clear(&x->f.body);
    x->f.done = false;
    x->f.calls = 0;
    json *seen =
        echo(x, (struct http_options){.method = methods[i], .body = body ? "a\n" : NULL, .body_length = body ? 2 : 0});
    assert_string_equal(json_text(seen, "body"), body ? "a\n" : "");
    assert_null(json_get(json_get(seen, "headers"), "content-type"));
    json_put(&seen);
  }
}

static void an_error_status_is_an_answer(void **state) {
  struct fixture *x = *state;
  fetch(x, "/status?code=503&retry=7", (struct http_options){0}, false);
  assert_int_equal(x->f.code, ERR_NONE);
  assert_int_equal(x->f.status, 503);
  assert_int_equal(x->f.retry_after_ms, 7000);
  assert_string_equal(str_text(&x->f.body), "no");
}

static void pieces_are_streamed_and_not_kept(void **state) {
  struct fixture *x = *state;
  fetch(x, "/stream?count=300", (struct http_options){.timeout = -1}, true);
  assert_int_equal(x->f.code, ERR_NONE);
  assert_int_equal(x->f.body.length, 0);
  assert_true(text_starts(str_text(&x->f.pieces), "line 0\nline 1\n"));
  assert_non_null(strstr(str_text(&x->f.pieces), "\nline 299\n"));
  assert_true(x->f.piece_count > 0);
}

static void an_error_body_is_kept_even_when_streaming(void **state) {
  struct fixture *x = *state;
  fetch(x, "/status?code=410", (struct http_options){0}, true);
  assert_int_equal(x->f.code, ERR_NONE);
  assert_int_equal(x->f.status, 410);
  assert_int_equal(x->f.piece_count, 0);
  assert_string_equal(str_text(&x->f.body), "no");
}

static bool stop_at_once(void *context, const char *bytes, size_t length) {
  (void)bytes, (void)length;
  ((struct fetched *)context)->piece_count++;
  return false;
}

static void the_reader_can_stop(void **state) {
  struct fixture *x = *state;
  fetch(x, "/stream?count=1&hold=1", (struct http_options){.data = stop_at_once, .timeout = -1}, false);
  assert_int_equal(x->f.code, ERR_CANCELLED);
  assert_int_equal(x->f.piece_count, 1);
}

struct guard {
  bool may;
  unsigned asked;
};

static bool guard(void *context) {
  struct guard *g = context;
  g->asked++;
  return g->may;
}

static void a_guarded_write_does_not_leave(void **state) {
  struct fixture *x = *state;
  struct guard g = {.may = true};
  http_guard(x->h, guard, &g);
  fetched_start(&x->f, x->h, (struct http_options){.method = "POST", .url = url_of("http", "http", "/echo")}, false);
  g.may = false;  // since it was begun
  assert_int_equal(g.asked, 0);
  loop_until(&x->loop, &x->f.done);
  assert_int_equal(g.asked, 1);
  assert_int_equal(x->f.code, ERR_CANCELLED);
  assert_int_equal(x->f.status, 0);
}

static void a_guard_lets_reads_and_what_is_allowed_through(void **state) {
  struct fixture *x = *state;
  struct guard g = {.may = false};
  http_guard(x->h, guard, &g);
  fetch(x, "/hello", (struct http_options){0}, false);
  assert_int_equal(x->f.status, 200);
  fetched_done(&x->f);
  x->f = FETCHED_INIT;
  fetch(x, "/echo", (struct http_options){.method = "POST", .unguarded = true}, false);
  assert_int_equal(x->f.status, 200);
  assert_int_equal(g.asked, 0);
  fetched_done(&x->f);
  x->f = FETCHED_INIT;
  g.may = true;
  fetch(x, "/echo", (struct http_options){.method = "POST"}, false);
  assert_int_equal(x->f.status, 200);
  assert_int_equal(g.asked, 1);
}

static void an_answer_has_its_bound(void **state) {
  struct fixture *x = *state;
  fetch(x, "/big?bytes=1000", (struct http_options){.max_response = 999}, false);
  assert_int_equal(x->f.code, ERR_TOO_LARGE);
  assert_non_null(strstr(x->f.error.text, "larger than 999 bytes"));
}

static void an_answer_may_be_as_large_as_its_bound(void **state) {
  struct fixture *x = *state;
  fetch(x, "/big?bytes=1000000", (struct http_options){.max_response = 1000000}, false);
  assert_int_equal(x->f.code, ERR_NONE);
  assert_int_equal(x->f.body.length, 1000000);
}

static void silence_after_the_headers_ends_by_idle_timeout(void **state) {
  struct fixture *x = *state;
  // Long enough for the headers of a peer that has to wait for a processor.
  fetch(x, "/stream?count=1&hold=1", (struct http_options){.timeout = -1, .idle_timeout = 2000}, true);
  assert_int_equal(x->f.code, ERR_TIMEOUT);
  assert_int_equal(x->f.status, 200);
  assert_string_equal(str_text(&x->f.pieces), "line 0\n");
  assert_non_null(strstr(x->f.error.text, "nothing received for 2000 ms"));
}

// Each piece begins the wait anew: 3 s in all, but never that long a silence.
static void a_trickle_is_not_idle(void **state) {
  struct fixture *x = *state;
  fetch(x, "/stream?count=30&pause=0.1", (struct http_options){.timeout = -1, .idle_timeout = 2000}, true);
  assert_int_equal(x->f.code, ERR_NONE);
  assert_non_null(strstr(str_text(&x->f.pieces), "\nline 29\n"));
}

// The only transfer ends by its timeout: no other event will ever fetch its completion.
static void the_last_transfer_can_time_out(void **state) {
  struct fixture *x = *state;
  fetch(x, "/silent", (struct http_options){.timeout = 100}, false);
  assert_int_equal(x->f.code, ERR_TIMEOUT);
  assert_int_equal(x->f.status, 0);
}

static void a_refused_connection_is_unavailable(void **state) {
  struct fixture *x = *state;
  fetch(x, NULL, (struct http_options){.url = url_of("http", "refusing", "/p?secret=1")}, false);
  assert_int_equal(x->f.code, ERR_UNAVAILABLE);
  assert_true(text_starts(x->f.error.text, "GET http://127.0.0.1:"));
  assert_non_null(strstr(x->f.error.text, "/p: "));
  assert_null(strstr(x->f.error.text, "secret"));
}

static void an_answer_cut_in_the_middle_is_unavailable(void **state) {
  struct fixture *x = *state;
  fetch(x, "/cut", (struct http_options){0}, false);
  assert_int_equal(x->f.code, ERR_UNAVAILABLE);
  assert_int_equal(x->f.status, 200);
}

static void what_is_no_http_url_is_invalid(void **state) {
  struct fixture *x = *state;
  fetch(x, NULL, (struct http_options){.url = "file:///etc/passwd"}, false);
  assert_int_equal(x->f.code, ERR_INVALID);
  x->f.done = false;
  x->f.calls = 0;
  fetch(x, NULL, (struct http_options){.url = "http://[bad"}, false);
  assert_int_equal(x->f.code, ERR_INVALID);
}

// libcurl refuses it before there is a transfer; it is told from the loop all the same.
static void a_url_beyond_all_bounds_is_invalid(void **state) {
  struct fixture *x = *state;
  char *url = mem_printf("http://h/%08000100d", 0);
  fetch(x, NULL, (struct http_options){.url = url}, false);
  assert_int_equal(x->f.code, ERR_INVALID);
  free(url);
}

static void ask_often(struct fixture *x, const char *ending) {
  for (int i = 0; i < 6; i++) {
    x->f.done = false;
    x->f.calls = 0;
    fetch(x, i % 2 ? "/hello" : ending, (struct http_options){0}, false);
    if (x->f.code) fail_msg("%s", x->f.error.text);
    assert_int_equal(x->f.status, 200);
  }
}

static void a_connection_that_the_server_closed_is_replaced(void **state) {
  ask_often(*state, "/close");
}

// The request was on its way already: it goes out again, on a new connection.
static void a_connection_reset_under_a_request_is_replaced(void **state) {
  ask_often(*state, "/reset");
}

// ---- TLS ----

static void a_trusted_certificate_is_accepted(void **state) {
  struct fixture *x = *state;
  fetch(x, NULL, (struct http_options){.url = url_of("https", "h2", "/hello"), .ca_file = peer_value(peer, "ca")},
        false);
  assert_int_equal(x->f.code, ERR_NONE);
  assert_string_equal(str_text(&x->f.body), "hello");
}

static void an_unknown_certificate_is_refused(void **state) {
  struct fixture *x = *state;
  fetch(x, NULL, (struct http_options){.url = url_of("https", "h2", "/hello")}, false);
  assert_int_equal(x->f.code, ERR_UNAVAILABLE);
  assert_non_null(strstr(x->f.error.text, "certificate"));
}

static void insecure_accepts_any_certificate(void **state) {
  struct fixture *x = *state;
  fetch(x, NULL, (struct http_options){.url = url_of("https", "h2", "/hello"), .insecure = true}, false);
  assert_int_equal(x->f.code, ERR_NONE);
}

static void a_missing_authority_file_is_said(void **state) {
  struct fixture *x = *state;
  fetch(x, NULL, (struct http_options){.url = url_of("https", "h2", "/hello"), .ca_file = "/nonexistent/ca.crt"},
        false);
  assert_int_equal(x->f.code, ERR_FORBIDDEN);
  assert_non_null(strstr(x->f.error.text, "/nonexistent/ca.crt"));
}

static enum error_code fetch_again(struct fixture *x, struct http_options o) {
  fetched_done(&x->f);
  x->f = FETCHED_INIT;
  fetch(x, NULL, o, false);
  return x->f.code;
}

static long connections(struct fixture *x, const char *ca) {
  fetch_again(x, (struct http_options){.url = url_of("https", "h2", "/connections"), .ca_file = ca});
  return strtol(str_text(&x->f.body), NULL, 10);
}

// Watches that never end, and call after call: a connection for each watch, and hardly more than one for all the calls.
static void a_connection_serves_one_request_at_a_time_and_then_the_next(void **state) {
  struct fixture *x = *state;
  enum { WATCHES = 6, CALLS = 30 };
  const char *ca = peer_value(peer, "ca");
  const long before = connections(x, ca);
  http_free(x->h);
  x->h = http_new(&x->loop);

  struct fetched watch[WATCHES];
  struct http_options o = {.ca_file = ca, .timeout = -1};
  o.url = url_of("https", "h2", "/hold");
  for (int i = 0; i < WATCHES; i++) fetched_start((watch[i] = FETCHED_INIT, &watch[i]), x->h, o, true);
  o.url = url_of("https", "h2", "/hello");
  for (int i = 0; i < CALLS; i++) {
    assert_int_equal(fetch_again(x, o), ERR_NONE);
    assert_string_equal(str_text(&x->f.body), "hello");
  }
  const long opened = connections(x, ca) - before;
  // Now and then libcurl takes a connection for dead that has a frame left to read, and opens another one.
  assert_in_range(opened, WATCHES + 1, WATCHES + CALLS / 3);
  for (int i = 0; i < WATCHES; i++) {
    while (watch[i].piece_count == 0) uv_run(&x->loop, UV_RUN_ONCE);
    assert_false(watch[i].done);
    assert_string_equal(str_text(&watch[i].pieces), "held");
    fetched_done(&watch[i]);
  }
}

static bool on_piece(void *context, const char *bytes, size_t length) {
  (void)bytes;
  (void)length;
  *(bool *)context = true;
  return true;
}

static void on_no_end(void *context, const struct http_response *response, const struct error *e) {
  (void)context;
  (void)response;
  fail_msg("a cancelled request has ended: %s", e ? e->text : "well");
}

// A server that is stuck, or a node without power, would be asked over the same connection for ever.
static void a_request_that_is_given_up_ends_its_http2_connection(void **state) {
  struct fixture *x = *state;
  const char *ca = peer_value(peer, "ca");
  const struct http_options stuck[] = {{.timeout = 300}, {.timeout = -1, .idle_timeout = 300}};
  for (size_t i = 0; i < array_size(stuck); i++) {
    const long before = connections(x, ca);
    struct http_options o = stuck[i];
    o.url = url_of("https", "h2", "/hold");
    o.ca_file = ca;
    assert_int_equal(fetch_again(x, o), ERR_TIMEOUT);
    assert_true(connections(x, ca) > before);
  }
  const long before = connections(x, ca);
  bool arrived = false;
  struct http_options o = {.method = "GET", .url = url_of("https", "h2", "/hold"), .ca_file = ca, .timeout = -1};
  o.data = on_piece;
  o.done = on_no_end;
  o.context = &arrived;
  struct http_request *r = http_start(x->h, &o);
  loop_until(&x->loop, &arrived);
  http_cancel(r);
  assert_true(connections(x, ca) > before);
}

static void an_etag_comes_along(void **state) {
  struct fixture *x = *state;
  fetch(x, "/etag?tag=%22abc%22", (struct http_options){0}, false);
  assert_string_equal(x->f.etag, "\"abc\"");
}

static void an_etag_beyond_its_bound_is_none(void **state) {
  struct fixture *x = *state;
  char path[256] = "/etag?tag=";
  memset(path + strlen(path), 'x', 200);
  fetch(x, path, (struct http_options){0}, false);
  assert_int_equal(x->f.status, 200);
  assert_string_equal(x->f.etag, "");
}

static void a_guarded_request_reaches_no_private_address(void **state) {
  struct fixture *x = *state;
  fetch(x, "/hello", (struct http_options){.guard = &(struct http_guard){0}}, false);
  assert_int_equal(x->f.code, ERR_FORBIDDEN);
  assert_int_equal(x->f.status, 0);
}

static void a_guarded_request_follows_redirects(void **state) {
  struct fixture *x = *state;
  struct cidr local;
  assert_true(cidr_parse("127.0.0.1/32", &local));
  struct http_guard guard = {.allowed = &local, .allowed_count = 1};
  char path[600];
  snprintf(path, sizeof(path), "/redirect?to=%s", url_of("http", "http", "/hello"));
  fetch(x, path, (struct http_options){.guard = &guard}, true);
  assert_int_equal(x->f.code, ERR_NONE);
  assert_string_equal(str_text(&x->f.pieces), "hello");
}

static void a_redirect_leads_to_no_private_address(void **state) {
  struct fixture *x = *state;
  struct cidr local;
  assert_true(cidr_parse("127.0.0.1/32", &local));
  struct http_guard guard = {.allowed = &local, .allowed_count = 1};
  char path[600];
  snprintf(path, sizeof(path), "/redirect?to=http://127.0.0.2:%s/hello", peer_value(peer, "http"));
  fetch(x, path, (struct http_options){.guard = &guard}, true);
  assert_int_equal(x->f.code, ERR_FORBIDDEN);
  assert_int_equal(x->f.pieces.length, 0);
}

static void redirects_are_not_followed_otherwise(void **state) {
  struct fixture *x = *state;
  fetch(x, "/redirect?to=/hello", (struct http_options){0}, false);
  assert_int_equal(x->f.status, 302);
}

#define with_client(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      with_client(get_gives_the_answer),
      with_client(post_sends_body_and_headers),
      with_client(other_methods_go_out_as_they_are),
      with_client(an_error_status_is_an_answer),
      with_client(pieces_are_streamed_and_not_kept),
      with_client(an_error_body_is_kept_even_when_streaming),
      with_client(the_reader_can_stop),
      with_client(a_guarded_write_does_not_leave),
      with_client(a_guard_lets_reads_and_what_is_allowed_through),
      with_client(an_answer_has_its_bound),
      with_client(an_answer_may_be_as_large_as_its_bound),
      with_client(silence_after_the_headers_ends_by_idle_timeout),
      with_client(a_trickle_is_not_idle),
      with_client(the_last_transfer_can_time_out),
      with_client(a_refused_connection_is_unavailable),
      with_client(an_answer_cut_in_the_middle_is_unavailable),
      with_client(what_is_no_http_url_is_invalid),
      with_client(a_url_beyond_all_bounds_is_invalid),
      with_client(a_connection_that_the_server_closed_is_replaced),
      with_client(a_connection_reset_under_a_request_is_replaced),
      with_client(a_trusted_certificate_is_accepted),
      with_client(an_unknown_certificate_is_refused),
      with_client(insecure_accepts_any_certificate),
      with_client(a_missing_authority_file_is_said),
      with_client(a_connection_serves_one_request_at_a_time_and_then_the_next),
      with_client(a_request_that_is_given_up_ends_its_http2_connection),
      with_client(an_etag_comes_along),
      with_client(an_etag_beyond_its_bound_is_none),
      with_client(a_guarded_request_reaches_no_private_address),
      with_client(a_guarded_request_follows_redirects),
      with_client(a_redirect_leads_to_no_private_address),
      with_client(redirects_are_not_followed_otherwise),
  };
  return cmocka_run_group_tests(tests, start_peer, stop_peer);
}
