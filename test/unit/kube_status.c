// What the API server's refusals become.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "kube/client.h"

#include "backoff.h"
#include "status.h"

static void test_table(void **state) {
  (void)state;
  static const struct {
    int http;
    const char *reason;
    enum error_code want;
  } cases[] = {
      {409, "AlreadyExists", ERR_EXISTS},
      {409, "Conflict", ERR_CONFLICT},
      {404, "NotFound", ERR_NOT_FOUND},
      {401, "Unauthorized", ERR_FORBIDDEN},
      {403, "Forbidden", ERR_FORBIDDEN},
      {422, "Invalid", ERR_INVALID},
      {400, "BadRequest", ERR_INVALID},
      {405, "MethodNotAllowed", ERR_INVALID},
      {406, "NotAcceptable", ERR_INVALID},
      {415, "UnsupportedMediaType", ERR_INVALID},
      {413, "RequestEntityTooLarge", ERR_TOO_LARGE},
      {410, "Gone", ERR_GONE},
      {410, "Expired", ERR_GONE},
      {429, "TooManyRequests", ERR_BUSY},
      {504, "Timeout", ERR_TIMEOUT},
      {500, "ServerTimeout", ERR_TIMEOUT},
      {500, "InternalError", ERR_UNAVAILABLE},
      {503, "ServiceUnavailable", ERR_UNAVAILABLE},
      // no or an unknown reason: the HTTP status decides
      {400, "", ERR_INVALID},
      {401, "", ERR_FORBIDDEN},
      {403, "", ERR_FORBIDDEN},
      {404, "New", ERR_NOT_FOUND},
      {408, "", ERR_TIMEOUT},
      {409, "", ERR_CONFLICT},
      {410, "", ERR_GONE},
      {413, "", ERR_TOO_LARGE},
      {418, "", ERR_INVALID},
      {422, "", ERR_INVALID},
      {429, "", ERR_BUSY},
      {500, "", ERR_UNAVAILABLE},
      {502, "", ERR_UNAVAILABLE},
      {503, "", ERR_UNAVAILABLE},
      {504, "", ERR_TIMEOUT},
      {302, "", ERR_INTERNAL},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    cleanup_free char *body = mem_printf(
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"why\",\"reason\":\"%s\","
        "\"code\":%d}",
        cases[i].reason, cases[i].http);
    struct error e = {0};
    assert_int_equal(kube_status_to_error(cases[i].http, body, strlen(body), 0, &e), cases[i].want);
    assert_int_equal(e.code, cases[i].want);
    assert_string_equal(e.text, "why");
    assert_int_equal(e.retry_after_ms, 0);
    assert_int_equal(kube_status_to_error(cases[i].http, body, strlen(body), 0, NULL), cases[i].want);
  }
}

static void test_retry_after(void **state) {
  (void)state;
  static const char body[] =
      "{\"kind\":\"Status\",\"reason\":\"TooManyRequests\",\"message\":\"slow "
      "down\",\"details\":{\"retryAfterSeconds\":7}}";
  struct error e = {0};
  kube_status_to_error(429, body, strlen(body), 3000, &e);
  assert_int_equal(e.retry_after_ms, 3000);  // the header first
  kube_status_to_error(429, body, strlen(body), 0, &e);
  assert_int_equal(e.retry_after_ms, 7000);
  kube_status_to_error(429, "busy", 4, 2000, &e);
  assert_int_equal(e.retry_after_ms, 2000);
  static const char absurd[] = "{\"kind\":\"Status\",\"code\":429,\"details\":{\"retryAfterSeconds\":-5}}";
  kube_status_to_error(429, absurd, strlen(absurd), 0, &e);
  assert_int_equal(e.retry_after_ms, 0);
}

static void test_not_a_status(void **state) {
  (void)state;
  struct error e = {0};
  assert_int_equal(kube_status_to_error(502, "bad\x01gateway\nmore", 16, 0, &e), ERR_UNAVAILABLE);
  assert_string_equal(e.text, "the Kubernetes API answered with status 502: bad?gateway");
  assert_int_equal(kube_status_to_error(503, NULL, 0, 0, &e), ERR_UNAVAILABLE);
  assert_string_equal(e.text, "the Kubernetes API answered with status 503");
  assert_int_equal(kube_status_to_error(404, "{\"kind\":\"Pod\"}", 14, 0, &e), ERR_NOT_FOUND);
  assert_int_equal(kube_status_to_error(404, "[[[[", 4, 0, &e), ERR_NOT_FOUND);
}

static void test_watch_status(void **state) {
  (void)state;
  static const char text[] =
      "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old resource version\"}";
  cleanup_json json *status = json_parse(text, strlen(text), NULL);
  struct error e = {0};
  assert_int_equal(status_object_to_error(status, 0, 0, &e), ERR_GONE);
  assert_string_equal(e.text, "too old resource version");
  assert_int_equal(status_object_to_error(NULL, 0, 0, &e), ERR_INTERNAL);
}

static void test_backoff(void **state) {
  (void)state;
  static const msec watch[] = {0, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};
  for (unsigned i = 0; i < array_size(watch); i++) assert_int_equal(backoff_delay(i, 800, 30000), watch[i]);
  assert_int_equal(backoff_delay(4000000000u, 800, 30000), 30000);
  assert_int_equal(backoff_jitter(1000, 0.2, 0), 1000);
  assert_int_equal(backoff_jitter(1000, 0.2, 0.5), 1100);
  for (int i = 0; i < 1000; i++) {
    double r = backoff_random();
    assert_true(r >= 0 && r < 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),        cmocka_unit_test(test_retry_after), cmocka_unit_test(test_not_a_status),
      cmocka_unit_test(test_watch_status), cmocka_unit_test(test_backoff),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
