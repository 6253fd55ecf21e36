#include "arena/wire.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "codec.h"
#include "executor.pb-c.h"

enum { MESSAGE_MAX = 256 * 1024, ID_MAX = 128, HASH_LENGTH = 64 };

static const double score_max = 1e12;  // the schema's bound
static const double seconds_max = 1e9;

// ---- request -----------------------------------------------------------------------------------

// protobuf-c's fields are not const, but packing does not write to them.
static char *field(const char *text) {
  return text ? (char *)(uintptr_t)text : (char *)protobuf_c_empty_string;
}

static void fill_agent(Executor__AgentData *ret, const struct wire_agent *a) {
  executor__agent_data__init(ret);
  ret->agent_id = field(a->id);
  ret->name = field(a->name);
  ret->docker_image = field(a->image);
  ret->version = field(a->version);
  ret->endpoint = field(a->endpoint);
  ret->failure = field(a->failure);
  ret->token = field(a->token);
}

uint8_t *wire_encode_request(const struct wire_request *r, size_t *ret_length) {
  Executor__AgentData agents[PARTICIPANTS_MAX], *pointers[PARTICIPANTS_MAX];
  for (unsigned i = 0; i < r->agent_count; i++) {
    fill_agent(&agents[i], &r->agents[i]);
    pointers[i] = &agents[i];
  }
  Executor__Limits limits = EXECUTOR__LIMITS__INIT;
  limits.startup_ms = r->startup_ms;
  limits.move_ms = r->move_ms;
  limits.bank_ms = r->bank_ms;

  Executor__MatchRequest m = EXECUTOR__MATCH_REQUEST__INIT;
  m.match_id = field(r->match_id);
  m.environment = field(r->environment);
  m.n_agents = r->agent_count;
  m.agents = pointers;
  m.timeout_sec = r->timeout_seconds;
  m.record_replay = r->record_replay;
  m.attempt = r->attempt;
  m.seed = r->seed;
  m.limits = &limits;

  *ret_length = executor__match_request__get_packed_size(&m);
  uint8_t *bytes = mem_alloc(*ret_length);
  executor__match_request__pack(&m, bytes);
  return bytes;
}

// ---- response: checks --------------------------------------------------------------------------

static enum error_code check_url(const char *name, const char *url, struct error *e) {
  if (text_empty(url)) return ERR_NONE;
  if (strlen(url) > BOUND_URL) return error_set(e, ERR_INVALID, "%s has more than %d bytes", name, BOUND_URL);
  if (!text_starts(url, "http://") && !text_starts(url, "https://"))
    return error_set(e, ERR_INVALID, "%s is no http or https address", name);
  return ERR_NONE;
}

static enum error_code check_hash(const char *name, const char *hash, struct error *e) {
  if (text_empty(hash)) return ERR_NONE;
  if (strspn(hash, "0123456789abcdef") != HASH_LENGTH || hash[HASH_LENGTH] != '\0')
    return error_set(e, ERR_INVALID, "%s is no SHA-256 of 64 hexadecimal digits", name);
  return ERR_NONE;
}

static enum error_code check_agents(const Executor__MatchResponse *m, struct error *e) {
  // A match that could not be played may have no results; any other has one for each seat.
  bool decided = m->status == EXECUTOR__MATCH_STATUS__SUCCESS || m->status == EXECUTOR__MATCH_STATUS__TIMEOUT;
  if (m->n_agent_results != PARTICIPANTS_MAX && (decided || m->n_agent_results != 0))
    return error_set(e, ERR_INVALID, "results of %zu agents instead of %d", m->n_agent_results, PARTICIPANTS_MAX);
  bool winner_played = text_empty(m->winner_agent_id);
  for (size_t i = 0; i < m->n_agent_results; i++) {
    const Executor__AgentResult *a = m->agent_results[i];
    if (text_empty(a->agent_id) || strlen(a->agent_id) > ID_MAX)
      return error_set(e, ERR_INVALID, "agent_results[%zu].agent_id is empty or too long", i);
    if (i > 0 && text_equal(a->agent_id, m->agent_results[0]->agent_id))
      return error_set(e, ERR_INVALID, "both results are of the same agent");
    if (!isfinite(a->score) || fabs(a->score) > score_max)
      return error_set(e, ERR_INVALID, "agent_results[%zu].score is not a number within +-1e12", i);
    if (text_equal(a->agent_id, m->winner_agent_id)) winner_played = true;
  }
  if (!winner_played) return error_set(e, ERR_INVALID, "the winner did not play");
  return ERR_NONE;
}

static enum error_code check(const Executor__MatchResponse *m, struct error *e) {
  enum error_code code;
  if (text_empty(m->match_id) || strlen(m->match_id) > ID_MAX)
    return error_set(e, ERR_INVALID, "match_id is empty or too long");
  if (m->attempt > INT32_MAX) return error_set(e, ERR_INVALID, "attempt %u is out of range", m->attempt);
  if (m->seed > CODEC_INT53_MAX) return error_set(e, ERR_INVALID, "the seed has more than 53 bits");
  if (!(m->execution_time_sec >= 0 && m->execution_time_sec <= seconds_max))
    return error_set(e, ERR_INVALID, "execution_time_sec is out of range");
  if ((code = check_agents(m, e)) != ERR_NONE) return code;
  if ((code = check_url("replay_url", m->replay_url, e)) != ERR_NONE) return code;
  if ((code = check_url("replay_html_url", m->replay_html_url, e)) != ERR_NONE) return code;
  if ((code = check_hash("replay_sha256", m->replay_sha256, e)) != ERR_NONE) return code;
  return check_hash("replay_html_sha256", m->replay_html_sha256, e);
}

// ---- response: to our words --------------------------------------------------------------------

static enum wire_status status_of(Executor__MatchStatus s) {
  switch (s) {
    case EXECUTOR__MATCH_STATUS__SUCCESS: return WIRE_SUCCESS;
    case EXECUTOR__MATCH_STATUS__TIMEOUT: return WIRE_TIMEOUT;
    case EXECUTOR__MATCH_STATUS__ERROR: return WIRE_ERROR;
    case EXECUTOR__MATCH_STATUS__CANCELLED: return WIRE_CANCELLED;
    default: return WIRE_UNKNOWN;
  }
}

static enum wire_failure failure_of(Executor__Failure f) {
  switch (f) {
    case EXECUTOR__FAILURE__FAILURE_NONE: return WIRE_FAILURE_NONE;
    case EXECUTOR__FAILURE__FAILURE_STARTUP: return WIRE_FAILURE_STARTUP;
    case EXECUTOR__FAILURE__FAILURE_LATE: return WIRE_FAILURE_LATE;
    case EXECUTOR__FAILURE__FAILURE_ILLEGAL: return WIRE_FAILURE_ILLEGAL;
    case EXECUTOR__FAILURE__FAILURE_CRASHED: return WIRE_FAILURE_CRASHED;
    case EXECUTOR__FAILURE__FAILURE_DISCONNECTED: return WIRE_FAILURE_DISCONNECTED;
    default: return WIRE_FAILURE_PROTOCOL;  // also one that a newer executor knows: it is a forfeit all the same
  }
}

static char *text_or_null(const char *text, size_t max) {
  return text_empty(text) ? NULL : text_bounded(text, max);
}

static void convert(const Executor__MatchResponse *m, struct wire_result *ret) {
  *ret = (struct wire_result){
      .match_id = text_bounded(m->match_id, ID_MAX),
      .status = status_of(m->status),
      .winner_id = text_or_null(m->winner_agent_id, ID_MAX),
      .agent_count = (unsigned)m->n_agent_results,
      .error_message = text_or_null(m->error_message, BOUND_SENTENCE),
      .steps = m->total_steps,
      .milliseconds = llround(m->execution_time_sec * 1000),
      .seed = (int64_t)m->seed,
      .attempt = (int32_t)m->attempt,
      .environment_version = text_or_null(m->environment_version, BOUND_WORD),
      .replay_url = text_or_null(m->replay_url, BOUND_URL),
      .replay_html_url = text_or_null(m->replay_html_url, BOUND_URL),
      .replay_sha256 = text_or_null(m->replay_sha256, BOUND_HASH),
      .replay_html_sha256 = text_or_null(m->replay_html_sha256, BOUND_HASH),
  };
  for (unsigned i = 0; i < ret->agent_count; i++) {
    const Executor__AgentResult *a = m->agent_results[i];
    ret->agents[i] = (struct wire_result_agent){
        .id = text_bounded(a->agent_id, ID_MAX),
        .score = a->score,
        .errors = a->errors < INT32_MAX ? (int32_t)a->errors : INT32_MAX,
        .error_message = text_or_null(a->error_message, BOUND_SENTENCE),
        .failure = failure_of(a->failure),
    };
  }
}

enum error_code wire_decode_response(const uint8_t *bytes, size_t length, struct wire_result *ret, struct error *e) {
  if (length > MESSAGE_MAX)
    return error_set(e, ERR_INVALID, "executor's answer has %zu bytes, at most %d are read", length, MESSAGE_MAX);
  Executor__MatchResponse *m = executor__match_response__unpack(NULL, length, bytes);
  if (!m) return error_set(e, ERR_INVALID, "executor's answer is no MatchResponse");
  enum error_code code = check(m, e);
  if (code == ERR_NONE)
    convert(m, ret);
  else
    error_prefix(e, "executor's answer");
  executor__match_response__free_unpacked(m, NULL);
  return code;
}

void wire_result_done(struct wire_result *r) {
  free(r->match_id);
  free(r->winner_id);
  for (unsigned i = 0; i < r->agent_count; i++) {
    free(r->agents[i].id);
    free(r->agents[i].error_message);
  }
  free(r->error_message);
  free(r->environment_version);
  free(r->replay_url);
  free(r->replay_html_url);
  free(r->replay_sha256);
  free(r->replay_html_sha256);
  *r = (struct wire_result){0};
}
