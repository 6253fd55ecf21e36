#include "base/memory.h"
#include "base/str.h"

#include "codec.h"

static const char *const queue_states[] = {"Idle", "Waiting", "Playing", "Cooldown", "Expired", "Suspended"};
static const char *const modes[] = {"Continuous", "Once"};

const char *queue_state_text(enum queue_state s) {
  return queue_states[s];
}

// ---- reading -----------------------------------------------------------------------------------

static struct rating decode_rating(json *o) {
  return (struct rating){
      .present = o != NULL,
      .elo = codec_int32(o, "elo", 0, BOUND_ELO, 0),
      .matches = codec_count(o, "matches"),
      .wins = codec_count(o, "wins"),
      .losses = codec_count(o, "losses"),
      .draws = codec_count(o, "draws"),
      .peak = codec_int32(o, "peak", 0, BOUND_ELO, 0),
      .provisional = json_bool(o, "provisional", false),
  };
}

static struct agent_queue decode_queue(json *o) {
  return (struct agent_queue){
      .state = (enum queue_state)codec_enum(o, "state", queue_states, array_size(queue_states), QUEUE_IDLE),
      .enqueued = json_time(o, "enqueuedAt"),
      .expires = json_time(o, "expiresAt"),
      .range = codec_int32(o, "rangeNow", 0, BOUND_ELO, 0),
      .ticket = json_text_copy(o, "ticket"),
      .reason = json_text_copy(o, "reason"),
  };
}

static void decode_status(json *o, struct agent_status *ret) {
  json *rating = json_get(o, "rating");
  *ret = (struct agent_status){
      .observed = codec_int64(o, "observedGeneration", 0, CODEC_INT53_MAX, 0),
      .active_submission = json_text_copy(o, "activeSubmission"),
      .active_version = codec_count(o, "activeVersion"),
      .image = json_text_copy(o, "image"),
      .latest_version = codec_count(o, "latestVersion"),
      .latest_submission = json_text_copy(o, "latestSubmission"),
      .rating = decode_rating(json_object_is_type(rating, json_type_object) ? rating : NULL),
      .queue = decode_queue(json_get(o, "queue")),
      .consecutive_forfeits = codec_count(o, "consecutiveForfeits"),
  };
  conditions_decode(o, &ret->conditions);
}

bool agent_decode(json *object, void *ret_agent, struct error *e) {
  json *spec = json_get(object, "spec"), *matchmaking = json_get(spec, "matchmaking");
  if (text_empty(json_text(spec, "owner"))) return error_set(e, ERR_INVALID, "spec.owner is missing"), false;
  if (text_empty(json_text(spec, "environment")))
    return error_set(e, ERR_INVALID, "spec.environment is missing"), false;

  struct agent *a = ret_agent;
  a->owner = json_text_copy(spec, "owner");
  a->environment = json_text_copy(spec, "environment");
  a->display_name = json_text_copy(spec, "displayName");
  a->pinned = text_empty(json_text(spec, "activeSubmission")) ? NULL : json_text_copy(spec, "activeSubmission");
  a->enabled = json_bool(matchmaking, "enabled", true);
  a->suspended = json_bool(spec, "suspended", false);
  a->priority = (uint8_t)codec_int32(matchmaking, "priority", 1, 10, 5);
  a->mode = (enum agent_mode)codec_enum(matchmaking, "mode", modes, array_size(modes), AGENT_CONTINUOUS);
  decode_status(json_get(object, "status"), &a->status);
  return true;
}

// ---- writing -----------------------------------------------------------------------------------

static void encode_rating(json *status, const struct rating *r) {
  if (!r->present) return;
  json *o = json_add_object(status, "rating");
  codec_add_count(o, "elo", r->elo);
  codec_add_count(o, "matches", r->matches);
  codec_add_count(o, "wins", r->wins);
  codec_add_count(o, "losses", r->losses);
  codec_add_count(o, "draws", r->draws);
  codec_add_count(o, "peak", r->peak);
  json_add_bool(o, "provisional", r->provisional);
}

static void encode_queue(json *status, const struct agent_queue *q) {
  json *o = json_add_object(status, "queue");
  json_add_text(o, "state", queue_state_text(q->state));
  // The order of entry decides who is paired first, so it keeps its milliseconds.
  json_add_micro_time(o, "enqueuedAt", q->enqueued);
  json_add_time(o, "expiresAt", q->expires);
  codec_add_nonzero(o, "rangeNow", q->range);
  codec_add_text(o, "ticket", q->ticket, BOUND_WORD);
  codec_add_text(o, "reason", q->reason, BOUND_SENTENCE);
}

static json *encode_status(const struct agent_status *s) {
  json *o = json_new_object();
  codec_add_nonzero(o, "observedGeneration", s->observed);
  codec_add_text(o, "activeSubmission", s->active_submission, BOUND_NAME);
  codec_add_nonzero(o, "activeVersion", s->active_version);
  codec_add_text(o, "image", s->image, BOUND_IMAGE);
  codec_add_nonzero(o, "latestVersion", s->latest_version);
  codec_add_text(o, "latestSubmission", s->latest_submission, BOUND_NAME);
  encode_rating(o, &s->rating);
  encode_queue(o, &s->queue);
  codec_add_count(o, "consecutiveForfeits", s->consecutive_forfeits);
  json_add(o, "conditions", conditions_encode(&s->conditions));
  return o;
}

json *agent_status_patch(const struct agent_status *from, const struct agent_status *to) {
  return codec_patch(encode_status(from), encode_status(to), from->observed == 0);
}

// ---- owning ------------------------------------------------------------------------------------

static void status_owned(struct owned *o, void *status) {
  struct agent_status *s = status;
  owned_text(o, &s->active_submission);
  owned_text(o, &s->image);
  owned_text(o, &s->latest_submission);
  owned_text(o, &s->queue.ticket);
  owned_text(o, &s->queue.reason);
  conditions_owned(o, &s->conditions);
}

void agent_owned(struct owned *o, void *agent) {
  struct agent *a = agent;
  meta_owned(o, &a->meta);
  owned_text(o, &a->owner);
  owned_text(o, &a->environment);
  owned_text(o, &a->display_name);
  owned_text(o, &a->pinned);
  status_owned(o, &a->status);
}

void agent_status_copy(struct agent_status *ret, const struct agent_status *from) {
  *ret = *from;
  owned_copy(status_owned, ret);
}

void agent_status_done(struct agent_status *s) {
  owned_free(status_owned, s);
  *s = (struct agent_status){0};
}
