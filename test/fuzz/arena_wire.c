// Any bytes as an executor's answers: a result or a list within its bounds, or a sentence.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena/wire.h"
#include "base/str.h"

#include "target.h"

enum { TEXT_MAX_BYTES = 1024, URL_MAX_BYTES = 2048, SHA256_DIGITS = 64 };

static void must(bool promise) {
  if (!promise) abort();
}

static void bounded(const char *text, size_t max) {
  must(!text || (strlen(text) <= max && text_utf8_prefix(text, strlen(text)) == strlen(text)));
}

static void url(const char *text) {
  bounded(text, URL_MAX_BYTES);
  must(text_empty(text) || text_starts(text, "http://") || text_starts(text, "https://"));
}

static void sha256(const char *text) {
  must(text_empty(text) || (strlen(text) == SHA256_DIGITS && strspn(text, "0123456789abcdef") == SHA256_DIGITS));
}

static void check(const struct wire_result *r) {
  must(r->agent_count == 0 || r->agent_count == PARTICIPANTS_MAX);
  must(r->seed >= 0 && r->milliseconds >= 0 && r->attempt >= 0 && r->status <= WIRE_CANCELLED);
  bool winner_played = r->winner_id == NULL;
  for (unsigned i = 0; i < r->agent_count; i++) {
    const struct wire_result_agent *a = &r->agents[i];
    must(isfinite(a->score) && a->errors >= 0 && !text_empty(a->id) && a->failure <= WIRE_FAILURE_PROTOCOL);
    bounded(a->id, TEXT_MAX_BYTES);
    bounded(a->error_message, TEXT_MAX_BYTES);
    winner_played |= text_equal(r->winner_id, a->id);
  }
  must(winner_played);
  bounded(r->match_id, TEXT_MAX_BYTES);
  bounded(r->error_message, TEXT_MAX_BYTES);
  bounded(r->environment_version, TEXT_MAX_BYTES);
  url(r->replay_url);
  url(r->replay_html_url);
  sha256(r->replay_sha256);
  sha256(r->replay_html_sha256);
}

static void environments(const uint8_t *data, size_t size) {
  struct wire_environments l = {0};
  struct error e = {0};
  if (wire_decode_environments(data, size, &l, &e) != ERR_NONE) return;
  must(l.known && l.count <= WIRE_ENVIRONMENTS_MAX);
  for (size_t i = 0; i < l.count; i++) bounded(l.names[i], TEXT_MAX_BYTES);
  wire_environments_done(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  environments(data, size);
  struct wire_result r;
  struct error e = {0};
  enum error_code code = wire_decode_response(data, size, &r, &e);
  must(code == e.code && (code == ERR_NONE || (code == ERR_INVALID && e.text[0] != 0)));
  if (code != ERR_NONE) return 0;
  check(&r);
  wire_result_done(&r);
  return 0;
}
