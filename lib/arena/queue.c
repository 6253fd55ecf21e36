#include "base/str.h"

#include "codec.h"

enum { YEAR_SECONDS = 31536000, MONTH_SECONDS = 2592000, DAY_SECONDS = 86400 };

// ---- reading -----------------------------------------------------------------------------------

static struct match_defaults decode_match_defaults(json *o) {
  json *resources = json_get(o, "resources");
  return (struct match_defaults){
      .timeout_seconds = codec_int32(o, "timeoutSeconds", 10, 7200, 300),
      .move_ms = codec_int32(o, "moveMilliseconds", 10, 600000, 1000),
      .bank_ms = codec_int32(o, "bankMilliseconds", 0, 3600000, 10000),
      .startup_seconds = codec_int32(o, "startupSeconds", 1, 600, 30),
      .ttl_seconds = codec_int32(o, "ttlSecondsAfterFinished", DAY_SECONDS, YEAR_SECONDS, 7 * DAY_SECONDS),
      .record_replay = json_bool(o, "recordReplay", true),
      .cpu = json_text_copy(resources, "cpu"),
      .memory = json_text_copy(resources, "memory"),
  };
}

static void decode_elo(json *o, struct queue *q) {
  q->elo_initial = codec_int32(o, "initial", 0, 10000, 1500);
  q->elo_range = codec_int32(o, "range", 0, 10000, 100);
  q->elo_step = codec_int32(o, "step", 0, 10000, 100);
  q->elo_max_range = codec_int32(o, "maxRange", 0, 10000, 500);
  q->elo_widen_seconds = codec_int32(o, "widenSeconds", 1, DAY_SECONDS, 30);
}

// An unknown word must not let vulnerabilities through that the operator meant to refuse.
static void decode_scan_policy(json *o, struct queue *q) {
  const char *fail_on = json_text(o, "failOn");
  q->never_fail = text_equal(fail_on, "NONE");
  q->fail_on = fail_on ? severity_parse(fail_on) : SEVERITY_CRITICAL;
  if (q->fail_on == SEVERITY_UNKNOWN) q->fail_on = SEVERITY_CRITICAL;
  q->ignore_unfixed = json_bool(o, "ignoreUnfixed", true);
}

static void decode_status(json *o, struct queue_status *ret) {
  *ret = (struct queue_status){
      .observed = codec_int64(o, "observedGeneration", 0, CODEC_INT53_MAX, 0),
      .waiting = codec_count(o, "waiting"),
      .playing = codec_count(o, "playing"),
      .matched_total = codec_int64(o, "matchedTotal", 0, CODEC_INT53_MAX, 0),
      .last_run = json_time(o, "lastRunTime"),
      .next_run = json_time(o, "nextRunTime"),
      .median_wait_seconds = codec_count(o, "medianWaitSeconds"),
  };
  conditions_decode(o, &ret->conditions);
}

bool queue_decode(json *object, void *ret_queue, struct error *e) {
  json *spec = json_get(object, "spec"), *environment = json_get(spec, "environment");
  if (text_empty(json_text(environment, "name")))
    return error_set(e, ERR_INVALID, "spec.environment.name is missing"), false;

  struct queue *q = ret_queue;
  q->environment = json_text_copy(environment, "name");
  q->paused = json_bool(spec, "paused", false);
  q->allow_same_owner = json_bool(spec, "allowSameOwner", false);
  q->interval_seconds = codec_int32(spec, "intervalSeconds", 1, 3600, 30);
  decode_elo(json_get(spec, "elo"), q);
  q->entry_ttl_seconds = codec_int32(spec, "entryTTLSeconds", 5, MONTH_SECONDS, DAY_SECONDS);
  q->cooldown_seconds = codec_int32(spec, "cooldownSeconds", 0, MONTH_SECONDS, 300);
  q->max_per_day = codec_int32(spec, "maxMatchesPerAgentPerDay", 1, 100000, 100);
  q->max_concurrent = codec_int32(spec, "maxConcurrentMatches", 1, 10000, 0);
  q->max_concurrent_per_agent = codec_int32(spec, "maxConcurrentMatchesPerAgent", 1, 100, 1);
  q->match = decode_match_defaults(json_get(spec, "match"));
  decode_scan_policy(json_get(spec, "scan"), q);
  decode_status(json_get(object, "status"), &q->status);
  return true;
}

// ---- writing -----------------------------------------------------------------------------------

static json *encode_status(const struct queue_status *s) {
  json *o = json_new_object();
  codec_add_nonzero(o, "observedGeneration", s->observed);
  codec_add_count(o, "waiting", s->waiting);
  codec_add_count(o, "playing", s->playing);
  codec_add_count(o, "matchedTotal", s->matched_total);
  json_add_time(o, "lastRunTime", s->last_run);
  json_add_time(o, "nextRunTime", s->next_run);
  codec_add_count(o, "medianWaitSeconds", s->median_wait_seconds);
  json_add(o, "conditions", conditions_encode(&s->conditions));
  return o;
}

json *queue_status_patch(const struct queue_status *from, const struct queue_status *to) {
  return codec_patch(encode_status(from), encode_status(to), from->observed == 0);
}

// ---- owning ------------------------------------------------------------------------------------

static void status_owned(struct owned *o, void *status) {
  struct queue_status *s = status;
  conditions_owned(o, &s->conditions);
}

void queue_owned(struct owned *o, void *queue) {
  struct queue *q = queue;
  meta_owned(o, &q->meta);
  owned_text(o, &q->environment);
  owned_text(o, &q->match.cpu);
  owned_text(o, &q->match.memory);
  status_owned(o, &q->status);
}

void queue_status_copy(struct queue_status *ret, const struct queue_status *from) {
  *ret = *from;
  owned_copy(status_owned, ret);
}

void queue_status_done(struct queue_status *s) {
  owned_free(status_owned, s);
  *s = (struct queue_status){0};
}
