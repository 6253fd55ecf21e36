// Forms as they arrive: whole, in pieces, and from senders who mean no good.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

#include "multipart.h"

#define TYPE "multipart/form-data; boundary=XyZ"

// What came, as text: "[name|filename|type]" in front of each part's bytes, "/" behind.
static bool on_part(void *context, const struct multipart_part *p, struct error *e) {
  (void)e;
  str_add_format(context, "[%s|%s|%s]", p->name, p->filename ? p->filename : "",
                 p->content_type ? p->content_type : "");
  return true;
}

static bool on_data(void *context, const char *bytes, size_t length, struct error *e) {
  (void)e;
  assert_true(length > 0);
  str_add_bytes(context, bytes, length);
  return true;
}

static bool on_end(void *context, struct error *e) {
  (void)e;
  str_add(context, "/");
  return true;
}

static const struct multipart_events events = {on_part, on_data, on_end};

static char *read_in_pieces(const char *type, const char *body, size_t length, size_t piece, struct error *e) {
  struct str cleanup_str seen = STR_INIT(1 << 20);
  struct multipart *m = multipart_new(type, &events, &seen, e);
  if (!m) return NULL;
  bool ok = true;
  for (size_t at = 0; ok && at < length; at += piece)
    ok = multipart_feed(m, body + at, length - at < piece ? length - at : piece, e);
  ok = ok && multipart_end(m, e);
  multipart_free(m);
  return ok ? str_take(&seen) : NULL;
}

static void assert_reads_as(const char *type, const char *body, size_t length, const char *expected) {
  for (size_t piece = 1; piece <= length + 1; piece++) {
    struct error e = {0};
    cleanup_free char *seen = read_in_pieces(type, body, length, piece, &e);
    if (!seen) fail_msg("in pieces of %zu: %s", piece, e.text);
    assert_string_equal(seen, expected);
  }
}

static void assert_refused(const char *type, const char *body, const char *words) {
  for (size_t piece = 1; piece <= strlen(body) + 1; piece++) {
    struct error e = {0};
    cleanup_free char *seen = read_in_pieces(type, body, strlen(body), piece, &e);
    if (seen) fail_msg("was taken: %s", seen);
    assert_int_equal(e.code, ERR_INVALID);
    if (!strstr(e.text, words)) fail_msg("\"%s\" lacks \"%s\"", e.text, words);
  }
}

#define PART(headers, data) "--XyZ\r\n" headers "\r\n\r\n" data "\r\n"
#define FIELD "Content-Disposition: form-data; name=\"agentId\""
#define FILE_ "Content-Disposition: form-data; name=\"file\"; filename=\"agent.py\"\r\nContent-Type: text/x-python"
#define END "--XyZ--\r\n"

static void a_form_of_a_browser(void **state) {
  (void)state;
  static const char body[] = PART(FIELD, "0f9d") PART(FILE_, "def agent(o):\r\n    return 1\r\n") END;
  assert_reads_as(TYPE, body, sizeof body - 1,
                  "[agentId||]0f9d/[file|agent.py|text/x-python]def agent(o):\r\n    return 1\r\n/");
  assert_reads_as("Multipart/Form-Data ;charset=utf-8; boundary=\"XyZ\"", body, sizeof body - 1,
                  "[agentId||]0f9d/[file|agent.py|text/x-python]def agent(o):\r\n    return 1\r\n/");
}

static void bytes_that_look_like_a_boundary(void **state) {
  (void)state;
  static const char data[] = "\r\n--Xy\r\n-\r\r\n--X\r\n\r\r\r\n--\r--XyZ";
  static const char body[] = PART(FIELD, "\r\n--Xy\r\n-\r\r\n--X\r\n\r\r\r\n--\r--XyZ") END;
  cleanup_free char *expected = mem_printf("[agentId||]%s/", data);
  assert_reads_as(TYPE, body, sizeof body - 1, expected);
}

static void empty_parts_and_the_edges(void **state) {
  (void)state;
  static const char empty[] = PART(FIELD, "") PART(FILE_, "\r\n") END;
  assert_reads_as(TYPE, empty, sizeof empty - 1, "[agentId||]/[file|agent.py|text/x-python]\r\n/");
  static const char at_once[] = "--XyZ\r\n" FIELD "\r\n\r\n--XyZ--";  // some senders save the line break
  assert_reads_as(TYPE, at_once, sizeof at_once - 1, "[agentId||]/");
  static const char none[] = "--XyZ--\r\nand an epilogue\r\n--XyZ\r\n";
  assert_reads_as(TYPE, none, sizeof none - 1, "");
  static const char preamble[] = "for readers without a parser\r\n" PART(FIELD, "x") END;
  assert_reads_as(TYPE, preamble, sizeof preamble - 1, "[agentId||]x/");
  static const char padded[] = "--XyZ \t\r\n" FIELD "\r\n\r\nx\r\n" END;
  assert_reads_as(TYPE, padded, sizeof padded - 1, "[agentId||]x/");
}

static void all_bytes_pass(void **state) {
  (void)state;
  char body[512];
  size_t length = (size_t)snprintf(body, sizeof body, "--XyZ\r\n" FIELD "\r\n\r\n");
  for (int i = 0; i < 256; i++) body[length++] = (char)i;
  memcpy(body + length, "\r\n" END, strlen("\r\n" END));
  length += strlen("\r\n" END);
  struct error e = {0};
  cleanup_free char *seen = read_in_pieces(TYPE, body, length, 7, &e);
  assert_non_null(seen);
  for (int i = 0; i < 256; i++) assert_int_equal((unsigned char)seen[strlen("[agentId||]") + (size_t)i], i);
}

static void names_as_senders_write_them(void **state) {
  (void)state;
  static const struct {
    const char *disposition, *expected;
  } cases[] = {
      {"form-data; name=a", "[a||]x/"},
      {"Form-Data;name=\"a b\" ; filename=b.zip;", "[a b|b.zip|]x/"},
      {"form-data; name=\"f\"; filename=\"C:\\temp\\a\\\"b\\\\.py\"", "[f|C:\\temp\\a\"b\\.py|]x/"},
      {"form-data; name=\"f\"; filename*=UTF-8''%c3%a4.py", "[f|\xc3\xa4.py|]x/"},
      {"form-data; name=\"f\"; filename=\"?.py\"; filename*=utf-8'de'%C3%A4.py", "[f|\xc3\xa4.py|]x/"},
      {"form-data; name=\"f\"; filename*=UTF-8''a.py; filename=\"b.py\"", "[f|a.py|]x/"},
      {"form-data; name=\"f\"; filename=\"\"", "[f||]x/"},
      {"form-data; name=\"f\"; filename=\"\xc3\xa4.py\"; size=3", "[f|\xc3\xa4.py|]x/"},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    cleanup_free char *body =
        mem_printf("--XyZ\r\nX-Other: 1\r\nCONTENT-DISPOSITION:%s\r\n\r\nx\r\n--XyZ--", cases[i].disposition);
    assert_reads_as(TYPE, body, strlen(body), cases[i].expected);
  }
}

static void names_that_are_refused(void **state) {
  (void)state;
  static const char *const cases[] = {
      "attachment; name=a",
      "form-data",
      "form-data; filename=\"a.py\"",
      "form-data; name=\"\"",
      "form-data; name=\"a",
      "form-data; name=a b",
      "form-data; name=a; name=b",
      "form-data; name=\"a\x01\"",
      "form-data; name=\"\xff\"",
      "form-data; name=\"f\"; filename*=UTF-8''%00.py",
      "form-data; name=\"f\"; filename*=UTF-8''%f",
      "form-data; name=\"f\"; filename*=latin1''a",
      "form-data; name=\"f\"; filename=\"\x7f\"",
      "form-datax; name=a",
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    cleanup_free char *body = mem_printf("--XyZ\r\nContent-Disposition: %s\r\n\r\nx\r\n--XyZ--", cases[i]);
    assert_refused(TYPE, body, "Content-Disposition");
  }
  char long_name[400];
  memset(long_name, 'n', sizeof long_name - 1);
  long_name[sizeof long_name - 1] = '\0';
  cleanup_free char *body =
      mem_printf("--XyZ\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\nx\r\n--XyZ--", long_name);
  assert_refused(TYPE, body, "Content-Disposition");
}

static void broken_forms(void **state) {
  (void)state;
  assert_refused(TYPE, "", "ends before its last boundary");
  assert_refused(TYPE, "--XyZ", "ends before its last boundary");
  assert_refused(TYPE, "--XyZ\r\n" FIELD, "ends before its last boundary");
  assert_refused(TYPE, PART(FIELD, "x"), "ends before its last boundary");
  assert_refused(TYPE, PART(FIELD, "x") "--XyZ", "ends before its last boundary");
  assert_refused(TYPE, PART(FIELD, "x") "--XyZ-", "ends before its last boundary");
  assert_refused(TYPE, PART(FIELD, "x") "--Other--\r\n", "ends before its last boundary");
  assert_refused(TYPE, PART(FIELD, "x") "--XyZ1--\r\n", "text behind a boundary");
  assert_refused(TYPE, "--XyZ\n" FIELD "\n\nx\n--XyZ--\n", "text behind a boundary");
  assert_refused(TYPE, "--XyZ\r\n" FIELD "\n\r\nx\r\n" END, "CR LF");
  assert_refused(TYPE, "--XyZ\r\n" FIELD "\rX\r\n\r\nx\r\n" END, "CR LF");
  assert_refused(TYPE, "--XyZ\r\n\r\nx\r\n" END, "no Content-Disposition");
  assert_refused(TYPE, PART("Content-Type: text/plain", "x") END, "no Content-Disposition");
  assert_refused(TYPE, PART(FIELD "\r\n" FIELD, "x") END, "twice");
  assert_refused(TYPE, PART(FIELD "\r\nContent-Type: a/b\r\nContent-Type: a/c", "x") END, "twice");
  assert_refused(TYPE, PART(FIELD "\r\n ; filename=x", "x") END, "second line");
  assert_refused(TYPE, PART(FIELD "\r\nnonsense", "x") END, "no colon");
  assert_refused(TYPE, PART(FIELD "\r\nContent-Transfer-Encoding: base64", "x") END, "transfer encoding");
  assert_refused(TYPE, PART(FIELD "\r\nContent-Type: multipart/mixed; boundary=I", "--I--") END, "a form itself");
}

static void what_grows_is_bounded(void **state) {
  (void)state;
  struct error e = {0};
  struct str cleanup_str body = STR_INIT(1 << 20);
  for (int i = 0; i < 17; i++) str_add(&body, PART(FIELD, "x"));
  str_add(&body, END);
  assert_null(read_in_pieces(TYPE, str_text(&body), body.length, 100, &e));
  assert_non_null(strstr(e.text, "more than 16 parts"));

  str_clear(&body);
  str_add(&body, "--XyZ\r\n");
  for (int i = 0; i < 17; i++) str_add(&body, "X-H: 1\r\n");
  str_add(&body, FIELD "\r\n\r\nx\r\n" END);
  assert_null(read_in_pieces(TYPE, str_text(&body), body.length, 100, &e));
  assert_non_null(strstr(e.text, "too many headers"));

  str_clear(&body);
  str_add(&body, "--XyZ\r\nX-H: ");
  for (int i = 0; i < 1100; i++) str_add(&body, "x");
  assert_null(read_in_pieces(TYPE, str_text(&body), body.length, 100, &e));
  assert_non_null(strstr(e.text, "longer than 1024"));

  str_clear(&body);
  for (int i = 0; i < 5000; i++) str_add(&body, "x");
  assert_null(read_in_pieces(TYPE, str_text(&body), body.length, 100, &e));
  assert_non_null(strstr(e.text, "does not begin with its boundary"));

  str_clear(&body);
  str_add(&body, "--XyZ");
  for (int i = 0; i < 100; i++) str_add(&body, " ");
  assert_null(read_in_pieces(TYPE, str_text(&body), body.length, 7, &e));
  assert_non_null(strstr(e.text, "too much space"));
}

static void types_that_are_no_form(void **state) {
  (void)state;
  static const char *const types[] = {
      "",
      "multipart/form-data",
      "multipart/form-data; boundary=",
      "multipart/form-data; boundary=\"\"",
      "multipart/form-data; boundary=a; boundary=b",
      "multipart/form-data; boundary=\"a\r\"",
      "multipart/form-data; boundary=\"a\xc3\xa4\"",
      "multipart/form-data; boundary=\"ends in a space \"",
      "multipart/form-data; boundary=01234567890123456789012345678901234567890123456789012345678901234567890",
      "multipart/form-data, boundary=a",
      "multipart/form-data; boundary=a b",
      "multipart/mixed; boundary=a",
      "multipart/form-datax; boundary=a",
      "application/json",
  };
  for (size_t i = 0; i < array_size(types); i++) {
    struct error e = {0};
    if (multipart_new(types[i], &events, NULL, &e)) fail_msg("was taken: %s", types[i]);
    assert_int_equal(e.code, ERR_INVALID);
  }
  assert_null(multipart_new(NULL, &events, NULL, NULL));
}

static bool refuse(void *context, const char *bytes, size_t length, struct error *e) {
  (void)context, (void)bytes, (void)length;
  error_set(e, ERR_TOO_LARGE, "enough");
  return false;
}

static void an_event_ends_it(void **state) {
  (void)state;
  static const struct multipart_events ending = {on_part, refuse, on_end};
  struct str cleanup_str seen = STR_INIT(1 << 10);
  struct error e = {0};
  struct multipart *m = multipart_new(TYPE, &ending, &seen, &e);
  static const char body[] = PART(FIELD, "data") END;
  assert_false(multipart_feed(m, body, sizeof body - 1, &e));
  assert_int_equal(e.code, ERR_TOO_LARGE);
  assert_false(multipart_feed(m, "x", 1, &e));
  assert_false(multipart_end(m, &e));
  multipart_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_form_of_a_browser),
      cmocka_unit_test(bytes_that_look_like_a_boundary),
      cmocka_unit_test(empty_parts_and_the_edges),
      cmocka_unit_test(all_bytes_pass),
      cmocka_unit_test(names_as_senders_write_them),
      cmocka_unit_test(names_that_are_refused),
      cmocka_unit_test(broken_forms),
      cmocka_unit_test(what_grows_is_bounded),
      cmocka_unit_test(types_that_are_no_form),
      cmocka_unit_test(an_event_ends_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
