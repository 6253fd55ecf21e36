// The probe server, asked over real connections on the same loop.
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "io/probe_server.h"

#include "fetched.h"
#include "peer.h"

enum { LARGE = 3 << 20, SERVER_CONNECTIONS = 64 };

struct fixture {
  uv_loop_t loop;
  struct probe_server *server;
  struct http *h;
  unsigned asked;
};

static int answer(void *context, const char *path, struct str *ret) {
  struct fixture *x = context;
  x->asked++;
  if (strcmp(path, "/healthz") == 0) {
    str_add(ret, "ok\n");
    return 200;
  }
  if (strcmp(path, "/readyz") == 0) {
    str_add(ret, "the cache of Match is not synced\n");
    return 503;
  }
  if (strcmp(path, "/large") == 0) {
    for (int i = 0; i < LARGE / 16; i++) str_add(ret, "0123456789abcdef");
    return 200;
  }
  if (strcmp(path, "/endless") == 0) {
    while (!ret->failed) str_add(ret, "0123456789abcdef");
    return 200;
  }
  return 404;
}

static int set_up(void **state) {
  struct fixture *x = mem_alloc(sizeof(*x));
  uv_loop_init(&x->loop);
  struct error e;
  x->server = probe_server_new(&x->loop, "127.0.0.1:0", answer, x, &e);
  if (!x->server) fail_msg("%s", e.text);
  x->h = http_new(&x->loop);
  *state = x;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *x = *state;
  http_free(x->h);
  probe_server_free(x->server);
  loop_end(&x->loop);
  free(x);
  return 0;
}

static struct fetched get(struct fixture *x, const char *method, const char *path) {
  char url[128];
  snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", probe_server_port(x->server), path);
  struct fetched f = FETCHED_INIT;
  fetched_start(&f, x->h, (struct http_options){.method = method, .url = url}, false);
  loop_until(&x->loop, &f.done);
  assert_int_equal(f.code, ERR_NONE);
  return f;
}

static void assert_answers(struct fixture *x, const char *method, const char *path, int status, const char *body) {
  struct fetched f = get(x, method, path);
  assert_int_equal(f.status, status);
  assert_string_equal(str_text(&f.body), body);
  fetched_done(&f);
}

static void probes_are_answered(void **state) {
  struct fixture *x = *state;
  for (int i = 0; i < 5; i++) {
    assert_answers(x, "GET", "/healthz", 200, "ok\n");
    assert_answers(x, "GET", "/readyz", 503, "the cache of Match is not synced\n");
  }
  assert_answers(x, "GET", "/nothing", 404, "");
  assert_answers(x, "GET", "/healthz?verbose=1", 200, "ok\n");
  assert_int_equal(x->asked, 12);
}

static void only_get_is_allowed(void **state) {
  struct fixture *x = *state;
  assert_answers(x, "POST", "/healthz", 405, "only GET\n");
  assert_answers(x, "DELETE", "/healthz", 405, "only GET\n");
  assert_int_equal(x->asked, 0);
}

static void a_large_answer_comes_whole(void **state) {
  struct fetched f = get(*state, "GET", "/large");
  assert_int_equal(f.status, 200);
  assert_int_equal(f.body.length, LARGE);
  assert_string_equal(f.body.data + LARGE - 16, "0123456789abcdef");
  fetched_done(&f);
}

static void an_answer_beyond_all_bounds_is_an_error(void **state) {
  assert_answers(*state, "GET", "/endless", 500, "");
}

// ---- bare connections ----

static int connect_to(const struct fixture *x) {
  int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)probe_server_port(x->server))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_int_equal(connect(s, (struct sockaddr *)&address, sizeof(address)), 0);
  return s;
}

static void ask(int s) {
  static const char request[] = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  assert_int_equal(send(s, request, sizeof(request) - 1, MSG_NOSIGNAL), sizeof(request) - 1);
}

// What the server says until it closes, while the loop runs.
static void hear(struct fixture *x, int s, char *ret, size_t size) {
  size_t length = 0;
  for (msec end = clock_monotonic() + 60000; clock_monotonic() < end;) {
    uv_run(&x->loop, UV_RUN_NOWAIT);
    ssize_t n = recv(s, ret + length, size - 1 - length, MSG_DONTWAIT);
    if (n == 0) break;
    if (n > 0) length += (size_t)n;
  }
  ret[length] = '\0';
}

static void prometheus_is_told_the_format(void **state) {
  struct fixture *x = *state;
  int s = connect_to(x);
  ask(s);
  char text[1024];
  hear(x, s, text, sizeof(text));
  close(s);
  assert_true(text_starts(text, "HTTP/1.1 200 OK\r\n"));
  assert_non_null(strstr(text, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
}

static void garbage_is_refused(void **state) {
  struct fixture *x = *state;
  int s = connect_to(x);
  static const char garbage[] = "\x16\x03\x01 not HTTP\r\n\r\n";
  assert_true(send(s, garbage, sizeof(garbage) - 1, MSG_NOSIGNAL) > 0);
  char text[1024];
  hear(x, s, text, sizeof(text));
  close(s);
  assert_false(text_starts(text, "HTTP/1.1 200"));
  assert_int_equal(x->asked, 0);
  assert_answers(x, "GET", "/healthz", 200, "ok\n");
}

// One too many waits in the kernel's queue until a place is free.
static void connections_are_bounded(void **state) {
  struct fixture *x = *state;
  int idle[SERVER_CONNECTIONS];
  for (size_t i = 0; i < array_size(idle); i++) {
    idle[i] = connect_to(x);
    uv_run(&x->loop, UV_RUN_NOWAIT);
  }
  int s = connect_to(x);
  ask(s);
  for (int i = 0; i < 100; i++) uv_run(&x->loop, UV_RUN_NOWAIT);
  assert_int_equal(x->asked, 0);
  msec freed = clock_monotonic();
  close(idle[0]);
  char text[1024];
  hear(x, s, text, sizeof(text));
  assert_true(text_starts(text, "HTTP/1.1 200 OK\r\n"));
  close(s);
  // By the one free place, not because the server lost its patience with the others (10 s).
  assert_true(clock_monotonic() - freed < 9000);
  for (size_t i = 1; i < array_size(idle); i++) close(idle[i]);
}

static void freeing_ends_open_connections(void **state) {
  struct fixture *x = *state;
  int s = connect_to(x);
  for (int i = 0; i < 10; i++) uv_run(&x->loop, UV_RUN_NOWAIT);
  probe_server_free(x->server);
  x->server = NULL;
  char text[16];
  assert_int_equal(recv(s, text, sizeof(text), 0), 0);
  close(s);
  probe_server_free(NULL);
}

// ---- listening ----

static void odd_addresses_are_invalid(void **state) {
  struct fixture *x = *state;
  static const char *const odd[] = {"",          "8080",        ":8080",         "0.0.0.0",        "0.0.0.0:",
                                    "0.0.0.0:x", "0.0.0.0:80x", "0.0.0.0:65536", "localhost:8080", "[::]8080",
                                    "[::1:80",   "[]:80",       "::1:80",        "0.0.0.0:-1",     "1.2.3:80"};
  for (size_t i = 0; i < array_size(odd); i++) {
    struct error e;
    if (probe_server_new(&x->loop, odd[i], answer, x, &e)) fail_msg("accepted: \"%s\"", odd[i]);
    assert_int_equal(e.code, ERR_INVALID);
  }
}

static void a_taken_address_is_said(void **state) {
  struct fixture *x = *state;
  char listen[64];
  snprintf(listen, sizeof(listen), "127.0.0.1:%d", probe_server_port(x->server));
  struct error e;
  assert_null(probe_server_new(&x->loop, listen, answer, x, &e));
  assert_int_equal(e.code, ERR_UNAVAILABLE);
  assert_non_null(strstr(e.text, listen));
}

static void a_freed_address_can_be_taken_again(void **state) {
  struct fixture *x = *state;
  char listen[64];
  snprintf(listen, sizeof(listen), "127.0.0.1:%d", probe_server_port(x->server));
  assert_answers(x, "GET", "/healthz", 200, "ok\n");
  probe_server_free(x->server);
  struct error e;
  x->server = probe_server_new(&x->loop, listen, answer, x, &e);
  if (!x->server) fail_msg("%s", e.text);
  assert_answers(x, "GET", "/healthz", 200, "ok\n");
}

static void all_addresses_of_both_families(void **state) {
  struct fixture *x = *state;
  probe_server_free(x->server);
  struct error e;
  x->server = probe_server_new(&x->loop, "[::]:0", answer, x, &e);
  if (!x->server) fail_msg("%s", e.text);
  assert_answers(x, "GET", "/healthz", 200, "ok\n");  // asked over IPv4
}

#define with_server(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      with_server(probes_are_answered),
      with_server(only_get_is_allowed),
      with_server(a_large_answer_comes_whole),
      with_server(an_answer_beyond_all_bounds_is_an_error),
      with_server(prometheus_is_told_the_format),
      with_server(garbage_is_refused),
      with_server(connections_are_bounded),
      with_server(freeing_ends_open_connections),
      with_server(odd_addresses_are_invalid),
      with_server(a_taken_address_is_said),
      with_server(a_freed_address_can_be_taken_again),
      with_server(all_addresses_of_both_families),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
