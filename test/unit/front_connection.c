// HTTP/1.1 over a connection, without a socket: what is answered, what waits, what ends.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"

#include "exchange.h"
#include "loose_server.h"

// ---- routes of the test's own ------------------------------------------------------------------------

static struct exchange *waiting;  // answered by the test, later
static struct str received;
static int received_ends;
static bool received_complete;

static void on_hello(struct exchange *x) {
  json *body = json_new_object();
  json_add_text(body, "hello", exchange_query(x, "name"));
  exchange_reply(x, 200, body);
}

static void on_later(struct exchange *x) {
  waiting = x;
}

static void on_echo(struct exchange *x) {
  exchange_reply(x, 201, json_object_get(exchange_body(x)));
}

static void take(void *context, const void *bytes, size_t length, bool complete) {
  struct exchange *x = context;
  if (bytes) {
    str_add_bytes(&received, bytes, length);
    return;
  }
  received_ends++;
  received_complete = complete;
  exchange_reply_bytes(x, 200, "text/plain", "taken", 5, false);
}

static void on_upload(struct exchange *x) {
  exchange_receive(x, take, x);
}

static void on_paused(struct exchange *x) {
  waiting = x;
  exchange_receive(x, take, x);
  exchange_pause(x, true);
}

static int gone, drained;

static void on_drained(void *context) {
  (void)context;
  drained++;
}

static void on_gone(void *context) {
  gone++;
  exchange_end(context);
}

static void on_stream(struct exchange *x) {
  waiting = x;
  exchange_start(x, 200, "text/plain", -1, on_drained, on_gone, x);
  exchange_write(x, "one", 3);
}

static void on_big(struct exchange *x) {
  cleanup_free char *bytes = mem_alloc(100000);
  memset(bytes, 'x', 100000);
  exchange_reply_bytes(x, 200, "text/plain", bytes, 100000, true);
}

static const struct route table[] = {
    {.method = "GET",
     .pattern = "/hello",
     .handler = on_hello,
     .parameters = {{"name", "{\"type\":\"string\",\"maxLength\":5}", ""}}},
    {.method = "GET", .pattern = "/later", .handler = on_later},
    {.method = "POST", .pattern = "/later", .handler = on_later},
    {.method = "POST", .pattern = "/echo", .handler = on_echo, .body = BODY_JSON, .body_schema = "Error"},
    {.method = "POST", .pattern = "/upload", .handler = on_upload, .body = BODY_STREAM},
    {.method = "POST", .pattern = "/paused", .handler = on_paused, .body = BODY_STREAM},
    {.method = "GET", .pattern = "/stream", .handler = on_stream},
    {.method = "GET", .pattern = "/big", .handler = on_big},
    {.method = "GET", .pattern = "/rare", .handler = on_hello, .limit = LIMIT_AUTH},
    {.method = "GET", .pattern = "/mine", .handler = on_hello, .auth = AUTH_USER},
};

static struct loose_server server;
static struct loose_socket client;

static int setup(void **state) {
  (void)state;
  waiting = NULL;
  received = STR_INIT(1024 * 1024);
  received_ends = gone = drained = 0;
  loose_server_init(&server, table, array_size(table));
  loose_socket_open(&client, &server, "192.0.2.1");
  return 0;
}

static int teardown(void **state) {
  (void)state;
  if (client.connection) loose_socket_close(&client);
  loose_server_done(&server);
  str_done(&received);
  return 0;
}

static void say(const char *text) {
  loose_socket_send(&client, text, strlen(text));
}

static void has(const char *part) {
  if (!strstr(str_text(&client.out), part)) fail_msg("no \"%s\" in: %s", part, str_text(&client.out));
}

static void has_not(const char *part) {
  if (strstr(str_text(&client.out), part)) fail_msg("\"%s\" in: %s", part, str_text(&client.out));
}

static unsigned count_of(const char *part) {
  unsigned count = 0;
  for (const char *at = str_text(&client.out); (at = strstr(at, part)) != NULL; at++) count++;
  return count;
}

#define HOST "Host: arena\r\n"

// ---- requests ----------------------------------------------------------------------------------------

static void one_byte_at_a_time_is_a_request_too(void **state) {
  (void)state;
  static const char text[] = "GET /hello?name=you HTTP/1.1\r\n" HOST "\r\n";
  for (size_t i = 0; i < strlen(text); i++) {
    assert_int_equal(client.out.length, 0);
    loose_socket_send(&client, text + i, 1);
  }
  has("HTTP/1.1 200 OK\r\n");
  has("{\"hello\":\"you\"}");
  assert_false(client.shut);
}

static void what_is_sent_ahead_is_answered_in_order(void **state) {
  (void)state;
  say("GET /later HTTP/1.1\r\n" HOST "\r\nGET /hello?name=b HTTP/1.1\r\n" HOST "\r\nGET /hello?name=c HTTP/1.1\r\n" HOST
      "\r\n");
  assert_int_equal(client.out.length, 0);
  exchange_reply_bytes(waiting, 200, "text/plain", "first", 5, false);
  loose_socket_drain(&client);
  const char *first = strstr(str_text(&client.out), "first");
  const char *second = strstr(str_text(&client.out), "\"b\"");
  const char *third = strstr(str_text(&client.out), "\"c\"");
  assert_true(first && second && third && first < second && second < third);
}

static void who_sends_too_much_ahead_is_not_read(void **state) {
  (void)state;
  say("GET /later HTTP/1.1\r\n" HOST "\r\n");
  assert_true(client.reading);
  for (int i = 0; i < 20; i++) {
    struct str many = STR_INIT(64 * 1024);
    for (int k = 0; k < 100; k++) str_add(&many, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    loose_socket_send(&client, many.data, many.length);
    str_done(&many);
  }
  assert_false(client.reading);
  exchange_reply_bytes(waiting, 200, "text/plain", "first", 5, false);
  loose_socket_drain(&client);
  assert_int_equal(count_of("HTTP/1.1 200"), 2001);
  assert_true(client.reading);
}

static void head_is_get_without_the_body(void **state) {
  (void)state;
  say("HEAD /hello HTTP/1.1\r\n" HOST "\r\nGET /hello?name=z HTTP/1.1\r\n" HOST "\r\n");
  has("Content-Length: 2\r\n");
  assert_int_equal(count_of("{"), 1);
}

static void an_old_client_is_answered_and_left(void **state) {
  (void)state;
  say("GET /hello HTTP/1.0\r\n\r\n");
  has("Connection: close\r\n");
  assert_true(client.shut);
}

static void what_http_does_not_allow_ends_the_connection(void **state) {
  (void)state;
  static const struct {
    const char *request;
    const char *status;
  } bad[] = {
      {"GET /hello HTTP/1.1\r\n\r\n", "400"},
      {"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"GET /hello HTTP/2.0\r\n" HOST "\r\n", "505"},
      {"GET /hello HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\n", "400"},
      {"GET /hello HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "400"},
      {"GET /hello HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n", "400"},
      {"GET /hello HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n", "400"},
      {"GET /hello HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", "400"},
      {"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", "501"},
      {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n", "501"},
      {"POST /echo HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", "400"},
      {"BREW /hello HTTP/1.1\r\n" HOST "\r\n", "405"},
      {"CONNECT arena:80 HTTP/1.1\r\n" HOST "\r\n", "405"},
      {"POST /upload HTTP/1.1\r\n" HOST "Transfer-Encodingansfer-ding: cd\r\n\r\n", "400"},
      {"GET /hello HTTP/1.1\r\n" HOST "\r-", "400"},
      {"GET hello HTTP/1.1\r\n" HOST "\r\n", "400"},
      {"\x16\x03\x01\x02", "400"},
      {"GET /hello HTTP/1.1\r\n" HOST "X: a\x01\x02\r\n\r\n", "400"},
  };
  for (unsigned i = 0; i < array_size(bad); i++) {
    struct loose_socket other;
    loose_socket_open(&other, &server, "192.0.2.2");
    struct str text = STR_INIT(4096);
    str_add(&text, bad[i].request);
    str_add(&text, "GET /hello?name=inner HTTP/1.1\r\n" HOST "\r\n");
    loose_socket_send(&other, text.data, text.length);
    char line[32];
    snprintf(line, sizeof(line), "HTTP/1.1 %s ", bad[i].status);
    const char *out = str_text(&other.out);
    if (strncmp(out, line, strlen(line)) != 0) fail_msg("%s\n-> %s", bad[i].request, out);
    if (!strstr(out, "Connection: close") || !other.shut) fail_msg("%s\n-> stays", bad[i].request);
    if (strstr(out, "inner")) fail_msg("%s\n-> what came after it was a request", bad[i].request);
    str_done(&text);
    loose_socket_close(&other);
  }
}

static void headers_are_bounded(void **state) {
  (void)state;
  cleanup_free char *long_one = mem_alloc(20000);
  memset(long_one, 'a', 19999);
  struct str text = STR_INIT(64 * 1024);
  str_add_format(&text, "GET /hello HTTP/1.1\r\n" HOST "X: %s\r\n\r\n", long_one);
  say(text.data);
  has("HTTP/1.1 431 ");
  loose_socket_close(&client);
  loose_socket_open(&client, &server, "192.0.2.1");
  str_clear(&text);
  str_add_format(&text, "GET /%s HTTP/1.1\r\n" HOST "\r\n", long_one);
  say(text.data);
  has("HTTP/1.1 414 ");
  loose_socket_close(&client);
  loose_socket_open(&client, &server, "192.0.2.1");
  str_clear(&text);
  str_add(&text, "GET /hello HTTP/1.1\r\n" HOST);
  for (int i = 0; i < 100; i++) str_add_format(&text, "X%d: y\r\n", i);
  str_add(&text, "\r\n");
  say(text.data);
  has("HTTP/1.1 431 ");
  str_done(&text);
}

// ---- bodies ------------------------------------------------------------------------------------------

#define ERROR_BODY "{\"error\":\"a\",\"message\":\"b\"}"

static void a_json_body_is_checked_and_handed_over(void **state) {
  (void)state;
  say("POST /echo HTTP/1.1\r\n" HOST
      "Content-Type: application/json; charset=utf-8\r\nContent-Length: 27\r\n\r\n" ERROR_BODY);
  has("HTTP/1.1 201 ");
  has(ERROR_BODY);
  say("POST /echo HTTP/1.1\r\n" HOST
      "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"err\r\n16;x=y\r\nor\":\"a\",\"message\":\"b\"}\r\n0\r\nT: x\r\n\r\n");
  assert_int_equal(count_of("HTTP/1.1 201 "), 2);
}

static void a_bad_body_is_answered_with_the_field(void **state) {
  (void)state;
  say("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}");
  has("HTTP/1.1 400 ");
  has("error is missing");
  say("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n{");
  has("the body is no JSON");
  say("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
  has("the request needs a body");
  say("POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
  has("HTTP/1.1 415 ");
  say("GET /hello?name=still HTTP/1.1\r\n" HOST "\r\n");
  has("still");
}

static void a_large_json_body_is_refused_before_it_comes(void **state) {
  (void)state;
  say("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1048577\r\n\r\n{");
  has("HTTP/1.1 413 ");
  assert_true(client.shut);
}

static void an_endless_chunked_body_is_refused_at_its_bound(void **state) {
  (void)state;
  say("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
  cleanup_free char *chunk = mem_alloc(65536 + 10);
  memcpy(chunk, "10000\r\n", 7);
  memset(chunk + 7, ' ', 65536);
  memcpy(chunk + 7 + 65536, "\r\n", 2);
  for (int i = 0; i < 32; i++) loose_socket_send(&client, chunk, 7 + 65536 + 2);
  has("HTTP/1.1 413 ");
  assert_int_equal(count_of("HTTP/1.1"), 1);
}

static void a_malformed_chunk_is_refused(void **state) {
  (void)state;
  say("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n");
  has("HTTP/1.1 400 ");
  assert_true(client.shut);
}

static void who_waits_for_a_word_gets_it_when_the_body_is_wanted(void **state) {
  (void)state;
  say("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 27\r\nExpect: 100-continue\r\n\r\n");
  has("HTTP/1.1 100 Continue\r\n\r\n");
  say(ERROR_BODY);
  has("HTTP/1.1 201 ");
  say("POST /nothing HTTP/1.1\r\n" HOST "Content-Length: 27\r\nExpect: 100-continue\r\n\r\n");
  has("HTTP/1.1 404 ");
  assert_int_equal(count_of("100 Continue"), 1);
  assert_true(client.shut);  // nobody knows whether the body still comes
}

static void a_body_that_nobody_wants_is_read_over(void **state) {
  (void)state;
  say("GET /hello?name=a HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhelloGET /hello?name=b HTTP/1.1\r\n" HOST "\r\n");
  has("\"a\"");
  has("\"b\"");
}

static void a_streamed_body_comes_in_pieces(void **state) {
  (void)state;
  say("POST /upload HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhello");
  assert_string_equal(str_text(&received), "hello");
  say("world");
  assert_string_equal(str_text(&received), "helloworld");
  assert_true(received_complete);
  has("taken");
}

static void an_empty_streamed_body_ends_at_once(void **state) {
  (void)state;
  say("POST /upload HTTP/1.1\r\n" HOST "\r\n");
  assert_int_equal(received_ends, 1);
  assert_true(received_complete);
  has("taken");
}

static void a_paused_body_waits(void **state) {
  (void)state;
  say("POST /paused HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n");
  cleanup_free char *bytes = mem_alloc(100000);
  memset(bytes, 'x', 100000);
  loose_socket_send(&client, bytes, 70000);
  assert_int_equal(received.length, 0);
  assert_false(client.reading);
  exchange_pause(waiting, false);
  loose_socket_drain(&client);
  assert_int_equal(received.length, 70000);
  assert_true(client.reading);
  loose_socket_send(&client, bytes, 30000);
  assert_int_equal(received.length, 100000);
  assert_true(received_complete);
}

static void who_breaks_off_is_noticed(void **state) {
  (void)state;
  say("POST /upload HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhello");
  loose_socket_close(&client);
  assert_int_equal(received_ends, 1);
  assert_false(received_complete);
}

static void a_late_body_is_given_up(void **state) {
  (void)state;
  say("POST /upload HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhello");
  connection_tick(client.connection, clock_monotonic() + 29 * 1000);
  assert_int_equal(received_ends, 0);
  connection_tick(client.connection, clock_monotonic() + 31 * 1000);
  loose_socket_drain(&client);
  assert_int_equal(received_ends, 1);
  assert_false(received_complete);
  has("HTTP/1.1 408 ");
  assert_true(client.shut);
}

static void late_headers_are_given_up(void **state) {
  (void)state;
  say("GET /hello HTTP/1.1\r\n");
  connection_tick(client.connection, clock_monotonic() + 9 * 1000);
  assert_int_equal(client.out.length, 0);
  connection_tick(client.connection, clock_monotonic() + 11 * 1000);
  loose_socket_drain(&client);
  has("HTTP/1.1 408 ");
  assert_true(client.shut);
  assert_false(client.killed);
  connection_tick(client.connection, clock_monotonic() + 20 * 1000);
  assert_true(client.killed);
}

static void who_says_nothing_is_left(void **state) {
  (void)state;
  connection_tick(client.connection, clock_monotonic() + 11 * 1000);
  assert_true(client.killed);
  assert_int_equal(client.out.length, 0);
}

// ---- answers -----------------------------------------------------------------------------------------

static void a_streamed_answer_is_chunked(void **state) {
  (void)state;
  say("GET /stream HTTP/1.1\r\n" HOST "\r\n");
  has("Transfer-Encoding: chunked");
  has("3\r\none\r\n");
  exchange_write(waiting, "two!", 4);
  exchange_end(waiting);
  loose_socket_drain(&client);
  has("4\r\ntwo!\r\n0\r\n\r\n");
  say("GET /hello?name=then HTTP/1.1\r\n" HOST "\r\n");
  has("then");
}

static void a_slow_reader_holds_the_writer_up(void **state) {
  (void)state;
  say("GET /stream HTTP/1.1\r\n" HOST "\r\n");
  cleanup_free char *bytes = mem_alloc(65536);
  int written = 0;
  while (exchange_write(waiting, bytes, 65536)) assert_true(++written < 100);
  assert_int_equal(drained, 0);
  loose_socket_drain(&client);
  assert_int_equal(drained, 1);
  exchange_end(waiting);
}

static void a_stream_hears_that_the_client_left(void **state) {
  (void)state;
  say("GET /stream HTTP/1.1\r\n" HOST "\r\n");
  loose_socket_close(&client);
  assert_int_equal(gone, 1);
}

static void an_answer_to_nobody_goes_nowhere(void **state) {
  (void)state;
  say("GET /later HTTP/1.1\r\n" HOST "\r\n");
  loose_socket_close(&client);
  exchange_reply_bytes(waiting, 200, "text/plain", "late", 4, true);
  assert_int_equal(server.server.in_flight, 0);
}

static void an_answer_before_the_body_ends_the_connection_or_skips_it(void **state) {
  (void)state;
  say("POST /later HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n");
  exchange_reply_bytes(waiting, 200, "text/plain", "early", 5, false);
  loose_socket_drain(&client);
  say("helloGET /hello?name=next HTTP/1.1\r\n" HOST "\r\n");
  has("next");
  say("POST /later HTTP/1.1\r\n" HOST "Content-Length: 5000000\r\n\r\n");
  exchange_reply_bytes(waiting, 200, "text/plain", "early", 5, false);
  loose_socket_drain(&client);
  assert_true(client.shut);
}

static void what_is_known_is_not_sent_again(void **state) {
  (void)state;
  say("GET /hello?name=a HTTP/1.1\r\n" HOST "\r\n");
  const char *tag = strstr(str_text(&client.out), "ETag: ");
  assert_non_null(tag);
  struct str again = STR_INIT(1024);
  str_add_format(&again, "GET /hello?name=a HTTP/1.1\r\n" HOST "If-None-Match: \"x\", %.*s\r\n\r\n",
                 (int)strcspn(tag + 6, "\r"), tag + 6);
  cleanup_free char *request = str_take(&again);
  str_clear(&client.out);
  say(request);
  has("HTTP/1.1 304 ");
  has_not("hello");
  has_not("Content-Length");
}

static void large_texts_are_packed_for_who_takes_that(void **state) {
  (void)state;
  say("GET /big HTTP/1.1\r\n" HOST "Accept-Encoding: br, gzip;q=0.5\r\n\r\n");
  has("Content-Encoding: gzip");
  assert_true(client.out.length < 5000);
  str_clear(&client.out);
  say("GET /big HTTP/1.1\r\n" HOST "Accept-Encoding: gzip;q=0\r\n\r\n");
  has_not("Content-Encoding");
  assert_true(client.out.length > 100000);
}

// ---- who may, how often --------------------------------------------------------------------------------

static void a_page_of_the_list_may_ask_and_others_may_not(void **state) {
  (void)state;
  say("OPTIONS /mine HTTP/1.1\r\n" HOST "Origin: https://page.example\r\nAccess-Control-Request-Method: GET\r\n\r\n");
  has("HTTP/1.1 204 ");
  has("Access-Control-Allow-Origin: https://page.example\r\n");
  has("Access-Control-Allow-Headers: Authorization");
  str_clear(&client.out);
  say("OPTIONS /mine HTTP/1.1\r\n" HOST "Origin: https://other.example\r\nAccess-Control-Request-Method: GET\r\n\r\n");
  has("HTTP/1.1 204 ");
  has_not("Access-Control");
  str_clear(&client.out);
  say("GET /mine HTTP/1.1\r\n" HOST "Origin: https://page.example\r\n\r\n");
  has("HTTP/1.1 401 ");
  has("Access-Control-Allow-Origin: https://page.example\r\n");
  has("Vary: Origin");
}

static void who_asks_too_often_hears_when_to_come_again(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) say("GET /rare HTTP/1.1\r\n" HOST "\r\n");
  assert_int_equal(count_of("HTTP/1.1 200 "), 2);
  has("HTTP/1.1 429 ");
  has("Retry-After: 30\r\n");
  has("X-RateLimit-Limit: 2\r\n");
  has("X-RateLimit-Remaining: 1\r\n");
  has("X-RateLimit-Remaining: 0\r\n");
}

static void a_parameter_is_checked_by_its_schema(void **state) {
  (void)state;
  say("GET /hello?name=toolong HTTP/1.1\r\n" HOST "\r\n");
  has("HTTP/1.1 400 ");
  has("query parameter name must have at most 5 characters");
}

static void a_header_cannot_be_split(void **state) {
  (void)state;
  say("GET /later HTTP/1.1\r\n" HOST "\r\n");
  exchange_add_header(waiting, "X-Name", "a\r\nSet-Cookie: b");
  exchange_reply_bytes(waiting, 200, "text/plain", "", 0, false);
  loose_socket_drain(&client);
  has("X-Name: a  Set-Cookie: b\r\n");
}

static void a_server_that_stops_ends_with_the_answer(void **state) {
  (void)state;
  say("GET /later HTTP/1.1\r\n" HOST "\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n");
  connection_drain(client.connection);
  assert_false(client.killed);
  exchange_reply_bytes(waiting, 200, "text/plain", "last", 4, false);
  loose_socket_drain(&client);
  has("Connection: close");
  assert_int_equal(count_of("HTTP/1.1"), 1);
  assert_true(client.shut);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(one_byte_at_a_time_is_a_request_too),
      TEST(what_is_sent_ahead_is_answered_in_order),
      TEST(who_sends_too_much_ahead_is_not_read),
      TEST(head_is_get_without_the_body),
      TEST(an_old_client_is_answered_and_left),
      TEST(what_http_does_not_allow_ends_the_connection),
      TEST(headers_are_bounded),
      TEST(a_json_body_is_checked_and_handed_over),
      TEST(a_bad_body_is_answered_with_the_field),
      TEST(a_large_json_body_is_refused_before_it_comes),
      TEST(an_endless_chunked_body_is_refused_at_its_bound),
      TEST(a_malformed_chunk_is_refused),
      TEST(who_waits_for_a_word_gets_it_when_the_body_is_wanted),
      TEST(a_body_that_nobody_wants_is_read_over),
      TEST(a_streamed_body_comes_in_pieces),
      TEST(an_empty_streamed_body_ends_at_once),
      TEST(a_paused_body_waits),
      TEST(who_breaks_off_is_noticed),
      TEST(a_late_body_is_given_up),
      TEST(late_headers_are_given_up),
      TEST(who_says_nothing_is_left),
      TEST(a_streamed_answer_is_chunked),
      TEST(a_slow_reader_holds_the_writer_up),
      TEST(a_stream_hears_that_the_client_left),
      TEST(an_answer_to_nobody_goes_nowhere),
      TEST(an_answer_before_the_body_ends_the_connection_or_skips_it),
      TEST(what_is_known_is_not_sent_again),
      TEST(large_texts_are_packed_for_who_takes_that),
      TEST(a_page_of_the_list_may_ask_and_others_may_not),
      TEST(who_asks_too_often_hears_when_to_come_again),
      TEST(a_parameter_is_checked_by_its_schema),
      TEST(a_header_cannot_be_split),
      TEST(a_server_that_stops_ends_with_the_answer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
