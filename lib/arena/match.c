#include <math.h>

#include "base/memory.h"
#include "base/str.h"

#include "codec.h"

static const char *const outcomes[] = {"", "Win", "Loss", "Draw", "Forfeit"};
static const double score_max = 1e12;

const char *outcome_text(enum outcome o) {
  return outcomes[o];
}

// ---- reading -----------------------------------------------------------------------------------

static bool decode_participants(json *list, struct match *ret, struct error *e) {
  if (json_length(list) != PARTICIPANTS_MAX)
    return error_set(e, ERR_INVALID, "spec.participants has %zu entries instead of 2", json_length(list)), false;
  for (size_t i = 0; i < PARTICIPANTS_MAX; i++)
    if (text_empty(json_text(json_item(list, i), "agent")))
      return error_set(e, ERR_INVALID, "spec.participants[%zu].agent is missing", i), false;
  for (size_t i = 0; i < PARTICIPANTS_MAX; i++) {
    json *o = json_item(list, i);
    ret->participants[i].agent = json_text_copy(o, "agent");
    ret->participants[i].submission = text_empty(json_text(o, "submission")) ? NULL : json_text_copy(o, "submission");
  }
  ret->participant_count = PARTICIPANTS_MAX;
  return true;
}

static struct participant_status decode_participant_status(json *o) {
  double score = json_double(o, "score", 0);
  int32_t number = codec_count(o, "matchNumber");
  return (struct participant_status){
      .agent = json_text_copy(o, "agent"),
      .agent_uid = json_text_copy(o, "agentUID"),
      .submission = json_text_copy(o, "submission"),
      .image = json_text_copy(o, "image"),
      .version = codec_count(o, "version"),
      .score = fmax(-score_max, fmin(score_max, score)),
      .errors = codec_count(o, "errors"),
      .outcome = (enum outcome)codec_enum(o, "outcome", outcomes, array_size(outcomes), OUTCOME_NONE),
      .error_message = json_text_copy(o, "errorMessage"),
      .elo_before = number ? codec_int32(o, "eloBefore", 0, BOUND_ELO, 0) : 0,
      .elo_after = number ? codec_int32(o, "eloAfter", 0, BOUND_ELO, 0) : 0,
      .match_number = number,
  };
}

static void decode_status(json *o, struct match_status *ret) {
  json *replay = json_get(o, "replay"), *participants = json_get(o, "participants");
  *ret = (struct match_status){
      .observed = codec_int64(o, "observedGeneration", 0, CODEC_INT53_MAX, 0),
      .phase = json_text_copy(o, "phase"),
      .reason = json_text_copy(o, "reason"),
      .winner = json_text_copy(o, "winner"),
      .seed = codec_int64(o, "seed", 0, CODEC_INT53_MAX, -1),
      .environment_version = json_text_copy(o, "environmentVersion"),
      .steps = codec_int64(o, "steps", 0, CODEC_INT53_MAX, 0),
      .milliseconds = codec_int64(o, "executionMilliseconds", 0, CODEC_INT53_MAX, 0),
      .attempt = codec_int32(o, "attempt", 0, 100, 0),
      .replay_url = json_text_copy(replay, "url"),
      .replay_html_url = json_text_copy(replay, "htmlUrl"),
      .replay_sha256 = json_text_copy(replay, "sha256"),
      .replay_html_sha256 = json_text_copy(replay, "htmlSha256"),
      .started = json_time(o, "startTime"),
      .completed = json_time(o, "completionTime"),
  };
  for (size_t i = 0; i < json_length(participants) && i < PARTICIPANTS_MAX; i++)
    ret->participants[ret->participant_count++] = decode_participant_status(json_item(participants, i));
  conditions_decode(o, &ret->conditions);
}

bool match_decode(json *object, void *ret_match, struct error *e) {
  json *spec = json_get(object, "spec");
  if (text_empty(json_text(spec, "environment")))
    return error_set(e, ERR_INVALID, "spec.environment is missing"), false;
  struct match *m = ret_match;
  if (!decode_participants(json_get(spec, "participants"), m, e)) return false;

  m->environment = json_text_copy(spec, "environment");
  m->rated = json_bool(spec, "rated", true);
  m->record_replay = json_bool(spec, "recordReplay", true);
  m->seed = codec_int64(spec, "seed", 0, CODEC_INT53_MAX, -1);
  m->timeout_seconds = codec_int32(spec, "timeoutSeconds", 10, 7200, 300);
  m->ttl_seconds = codec_int32(spec, "ttlSecondsAfterFinished", 0, 31536000, -1);
  decode_status(json_get(object, "status"), &m->status);
  return true;
}

// ---- writing -----------------------------------------------------------------------------------

static void encode_participants(json *status, const struct match_status *s) {
  json *list = json_add_array(status, "participants");
  for (unsigned i = 0; i < s->participant_count; i++) {
    const struct participant_status *p = &s->participants[i];
    json *o = json_push_object(list);
    json_add_text(o, "agent", p->agent ? p->agent : "");  // required by the schema
    codec_add_text(o, "agentUID", p->agent_uid, BOUND_NAME);
    codec_add_text(o, "submission", p->submission, BOUND_NAME);
    codec_add_nonzero(o, "version", p->version);
    codec_add_text(o, "image", p->image, BOUND_IMAGE);
    codec_add_text(o, "outcome", outcome_text(p->outcome), BOUND_WORD);
    if (p->outcome != OUTCOME_NONE || p->score != 0) json_add_double(o, "score", p->score);
    if (p->outcome != OUTCOME_NONE || p->errors != 0) codec_add_count(o, "errors", p->errors);
    codec_add_text(o, "errorMessage", p->error_message, BOUND_LOG);
    if (p->match_number == 0) continue;
    codec_add_count(o, "eloBefore", p->elo_before);
    codec_add_count(o, "eloAfter", p->elo_after);
    json_add_int(o, "eloChange", p->elo_after - p->elo_before);
    json_add_int(o, "matchNumber", p->match_number);
  }
}

static void encode_replay(json *status, const struct match_status *s) {
  json *o = json_new_object();
  codec_add_text(o, "url", s->replay_url, BOUND_URL);
  codec_add_text(o, "htmlUrl", s->replay_html_url, BOUND_URL);
  codec_add_text(o, "sha256", s->replay_sha256, BOUND_HASH);
  codec_add_text(o, "htmlSha256", s->replay_html_sha256, BOUND_HASH);
  if (json_object_object_length(o) > 0)
    json_add(status, "replay", o);
  else
    json_put(&o);
}

static json *encode_status(const struct match_status *s) {
  bool played = s->completed != 0;
  json *o = json_new_object();
  codec_add_nonzero(o, "observedGeneration", s->observed);
  codec_add_text(o, "phase", s->phase, BOUND_WORD);
  codec_add_text(o, "reason", s->reason, BOUND_WORD);
  codec_add_nonzero(o, "attempt", s->attempt);
  encode_participants(o, s);
  codec_add_text(o, "winner", s->winner, BOUND_NAME);
  if (s->seed >= 0) json_add_int(o, "seed", s->seed);
  codec_add_text(o, "environmentVersion", s->environment_version, BOUND_WORD);
  if (played || s->steps != 0) codec_add_count(o, "steps", s->steps);
  if (played || s->milliseconds != 0) codec_add_count(o, "executionMilliseconds", s->milliseconds);
  encode_replay(o, s);
  // Whether a match ended before its agent entered the queue again is seen by these, so they keep milliseconds.
  json_add_micro_time(o, "startTime", s->started);
  json_add_micro_time(o, "completionTime", s->completed);
  json_add(o, "conditions", conditions_encode(&s->conditions));
  return o;
}

json *match_status_patch(const struct match_status *from, const struct match_status *to) {
  return codec_patch(encode_status(from), encode_status(to), from->observed == 0);
}

// ---- questions ---------------------------------------------------------------------------------

bool match_is_finished(const struct match *m) {
  return condition_is_true(&m->status.conditions, "Complete") || condition_is_true(&m->status.conditions, "Failed");
}

int match_seat_of(const struct match *m, const char *agent_name) {
  for (unsigned i = 0; i < m->participant_count; i++)
    if (text_equal(m->participants[i].agent, agent_name)) return (int)i;
  return -1;
}

// ---- owning ------------------------------------------------------------------------------------

static void status_owned(struct owned *o, void *status) {
  struct match_status *s = status;
  owned_text(o, &s->phase);
  owned_text(o, &s->reason);
  owned_text(o, &s->winner);
  owned_text(o, &s->environment_version);
  owned_text(o, &s->replay_url);
  owned_text(o, &s->replay_html_url);
  owned_text(o, &s->replay_sha256);
  owned_text(o, &s->replay_html_sha256);
  for (unsigned i = 0; i < s->participant_count; i++) {
    struct participant_status *p = &s->participants[i];
    owned_text(o, &p->agent);
    owned_text(o, &p->agent_uid);
    owned_text(o, &p->submission);
    owned_text(o, &p->image);
    owned_text(o, &p->error_message);
  }
  conditions_owned(o, &s->conditions);
}

void match_owned(struct owned *o, void *match) {
  struct match *m = match;
  meta_owned(o, &m->meta);
  owned_text(o, &m->environment);
  for (unsigned i = 0; i < m->participant_count; i++) {
    owned_text(o, &m->participants[i].agent);
    owned_text(o, &m->participants[i].submission);
  }
  status_owned(o, &m->status);
}

void match_status_copy(struct match_status *ret, const struct match_status *from) {
  *ret = *from;
  owned_copy(status_owned, ret);
}

void match_status_done(struct match_status *s) {
  owned_free(status_owned, s);
  *s = (struct match_status){.seed = -1};
}
