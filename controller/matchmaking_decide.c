#include <string.h>

#include "arena/names.h"
#include "arena/pairing.h"
#include "arena/rating.h"
#include "base/memory.h"
#include "base/str.h"

#include "matchmaking.h"

#define UNKNOWN_ENVIRONMENT "UnknownEnvironment"

enum { KNOWN_SHOWN_MAX = 700 };  // of a sentence that says more
enum { TOLD_AGAIN_MS = 60 * 1000 };

struct pass {
  struct pairing_agent *entries;
  const struct matchmaking_agent **whose;  // entries[i] belongs to whose[i]
  size_t count;
  int32_t playing;
  struct pairing_recent *recent;
};

static int32_t room_of(const struct queue *q, const struct matchmaking_agent *a) {
  const int32_t by_day = q->max_per_day - a->record.last_day;
  const int32_t by_concurrency = q->max_concurrent_per_agent - a->record.unfinished;
  const int32_t room = by_day < by_concurrency ? by_day : by_concurrency;
  // In mode Once a second match at the same time would be one too many.
  return a->agent->mode == AGENT_ONCE && room > 1 ? 1 : room;
}

// When a match was over by the clock of that moment. Its completion is never before its start, so that it may lie
// ahead after the clock was set back; its condition does not, and has whole seconds only.
static msec end_of(const struct match *m) {
  const char *type = condition_is_true(&m->status.conditions, "Complete") ? "Complete" : "Failed";
  const struct condition *c = condition_find(&m->status.conditions, type);
  if (c == NULL || c->changed <= 0) return m->status.completed;
  const msec last_of_it = c->changed + 999;
  return m->status.completed > last_of_it ? last_of_it : m->status.completed;
}

// Whether the two should not meet again yet. An end that lies ahead by more than clocks may differ was told by a
// clock that has been set back since: the old time is not waited for.
static bool is_recent(const struct queue *q, const struct match *m, msec now) {
  const msec cooldown = (msec)q->cooldown_seconds * 1000;
  // One that was deleted and is held by a finalizer has the name that a new one would get.
  if (!match_is_finished(m)) return cooldown > 0 || m->meta.deleted != 0;
  const msec passed = now - end_of(m);
  return passed < cooldown && passed > -cooldown;
}

static void pass_collect(const struct matchmaking_view *v, msec now, struct pass *ret) {
  const struct queue *q = v->self;
  ret->entries = mem_grow(NULL, v->agent_count + 1, sizeof(*ret->entries));
  ret->whose = mem_grow(NULL, v->agent_count + 1, sizeof(*ret->whose));
  for (size_t i = 0; i < v->agent_count; i++) {
    const struct matchmaking_agent *a = &v->agents[i];
    const struct agent_queue *entry = &a->agent->status.queue;
    const int32_t room = room_of(q, a);
    if (a->agent->meta.deleted != 0 || a->agent->suspended || !a->agent->enabled) continue;
    if (entry->state != QUEUE_WAITING || entry->enqueued == 0 || now >= entry->expires || room <= 0) continue;
    // Its status may still tell of the time before its last match ended; its own look comes first.
    if (a->record.last_end >= entry->enqueued) continue;
    ret->entries[ret->count] = (struct pairing_agent){
        .id = a->agent->meta.name,
        .owner = a->agent->owner,
        .elo = rating_or_initial(&a->agent->status.rating, q->elo_initial).elo,
        .priority = a->agent->priority,
        .enqueued = entry->enqueued,
        .room = room,
    };
    ret->whose[ret->count++] = a;
  }
  ret->recent = pairing_recent_new();
  for (size_t i = 0; i < v->match_count; i++) {
    const struct match *m = v->matches[i];
    if (!match_is_finished(m) && !match_is_waiting(m) && m->meta.deleted == 0) ret->playing++;
    if (is_recent(q, m, now)) {
      pairing_recent_add(ret->recent, m->participants[0].agent, m->participants[1].agent);
    }
  }
}

static void pass_done(struct pass *p) {
  free(p->entries);
  free(p->whose);
  pairing_recent_free(p->recent);
}

// Grows with every entry and every match of it: a decision made twice gives the same name, a new one another.
static int64_t number_of(const struct matchmaking_agent *a) {
  return a->agent->status.queue.enqueued + a->record.unfinished;
}

static json *match_body(const struct matchmaking_view *v, const struct matchmaking_agent *a,
                        const struct matchmaking_agent *b) {
  const struct queue *q = v->self;
  char name[NAME_SIZE];
  name_match(name, q->environment, a->agent->meta.uid, number_of(a), b->agent->meta.uid, number_of(b));
  json *match = meta_new_object(ARENA_API_VERSION, "Match", q->meta.namespace, name);
  meta_add_label(match, "app.kubernetes.io/managed-by", "rl-arena");
  meta_add_label(match, "rl-arena.io/made-by", "matchmaker");
  // From the beginning: the mirror may be away for as long as the match lives.
  if (v->mirrored) json_push_text(json_add_array(json_get(match, "metadata"), "finalizers"), MIRROR_FINALIZER);
  json *spec = json_add_object(match, "spec");
  json_add_text(spec, "environment", q->environment);
  json *sides = json_add_array(spec, "participants");
  json_add_text(json_push_object(sides), "agent", a->agent->meta.name);
  json_add_text(json_push_object(sides), "agent", b->agent->meta.name);
  json_add_bool(spec, "rated", true);
  json_add_int(spec, "timeoutSeconds", q->match.timeout_seconds);
  json_add_bool(spec, "recordReplay", q->match.record_replay);
  if (q->match.ttl_seconds >= 0) json_add_int(spec, "ttlSecondsAfterFinished", q->match.ttl_seconds);
  return match;
}

static msec wait_of(const struct matchmaking_agent *a, msec now) {
  const msec enqueued = a->agent->status.queue.enqueued;
  return now > enqueued ? now - enqueued : 0;  // not, when the clock was set back
}

static int compare_waits(const void *a, const void *b) {
  const msec x = *(const msec *)a, y = *(const msec *)b;
  return (x > y) - (x < y);
}

// Seats change from match to match, so that nobody always begins. A match of the two adds 2 to the sum.
static bool swap_seats(const struct matchmaking_agent *a, const struct matchmaking_agent *b) {
  const int order = strcmp(a->agent->meta.uid, b->agent->meta.uid);
  const int32_t both = a->agent->status.rating.matches + b->agent->status.rating.matches;
  return (both / 2 % 2 == 0) == (order < 0);
}

static void make_matches(const struct matchmaking_view *v, const struct pass *pass, msec now, struct queue_status *next,
                         struct plan *ret) {
  const struct queue *q = v->self;
  int32_t left = -1;
  if (q->max_concurrent > 0) left = q->max_concurrent > pass->playing ? q->max_concurrent - pass->playing : 0;
  const struct pairing_rules rules = {.range = q->elo_range,
                                      .step = q->elo_step,
                                      .max_range = q->elo_max_range,
                                      .widen_seconds = q->elo_widen_seconds,
                                      .allow_same_owner = q->allow_same_owner,
                                      .max_pairs = left};
  const size_t room = pass->count * (size_t)q->max_concurrent_per_agent / 2 + 1;
  struct pairing_pair *pairs = mem_grow(NULL, room, sizeof(*pairs));
  const size_t made = pairing_run(pass->entries, pass->count, &rules, pass->recent, now, pairs, room);
  msec *waits = mem_grow(NULL, 2 * made + 1, sizeof(*waits));
  bool *paired = mem_alloc(pass->count + 1);
  for (size_t i = 0; i < made; i++) {
    paired[pairs[i].first] = paired[pairs[i].second] = true;
    const struct matchmaking_agent *a = pass->whose[pairs[i].first], *b = pass->whose[pairs[i].second];
    waits[2 * i] = wait_of(a, now);
    waits[2 * i + 1] = wait_of(b, now);
    const bool swap = swap_seats(a, b);
    plan_create(ret, &KIND_MATCH, match_body(v, swap ? b : a, swap ? a : b));
  }
  if (made > 0) {
    qsort(waits, 2 * made, sizeof(*waits), compare_waits);
    next->median_wait_seconds = (int32_t)((waits[made - 1] + waits[made]) / 2000);
    next->matched_total += (int64_t)made;
  }
  next->waiting = 0;
  for (size_t i = 0; i < pass->count; i++) next->waiting += !paired[i];
  next->playing = pass->playing + (int32_t)made;
  free(pairs);
  free(waits);
  free(paired);
}

static void say_not_playable(const struct matchmaking_view *v, struct conditions *c, msec now) {
  cleanup_str struct str known = STR_INIT(KNOWN_SHOWN_MAX);
  for (size_t i = 0; i < v->playable->count; i++)
    str_add_format(&known, "%s%s", i > 0 ? ", " : "", v->playable->names[i]);
  condition_set(c, "Ready", CONDITION_FALSE, UNKNOWN_ENVIRONMENT, v->self->meta.generation, now,
                "The executor does not know the environment %s, so no matches are made. Give the executor that "
                "environment, or delete this queue. It knows: %s.",
                v->self->environment, v->playable->count > 0 ? str_text(&known) : "none");
  condition_set(c, "Stalled", CONDITION_TRUE, UNKNOWN_ENVIRONMENT, v->self->meta.generation, now,
                "See condition Ready.");
}

// Whether a pass makes matches; says in Ready why not.
static bool say_ready(const struct matchmaking_view *v, struct conditions *c, msec now) {
  const struct queue *q = v->self;
  // Before the executor has told a new process, what it told the last one stands.
  if (!v->playable->known && text_equal(condition_reason(c, "Ready"), UNKNOWN_ENVIRONMENT)) return false;
  if (v->playable->known && !wire_environments_have(v->playable, q->environment)) {
    say_not_playable(v, c, now);
    return false;
  }
  condition_remove(c, "Stalled");
  if (q->paused) {
    condition_set(c, "Ready", CONDITION_FALSE, "Paused", q->meta.generation, now,
                  "spec.paused is true: no matches are made.");
    return false;
  }
  condition_set(c, "Ready", CONDITION_TRUE, "Matchmaking", q->meta.generation, now,
                "Every %d s the waiting agents are paired.", q->interval_seconds);
  return true;
}

// When it looked is written with what the look changed. Alone it is written once a minute at most: where nobody comes
// and goes, next to nothing is written.
static json *patch_of(const struct queue *q, struct queue_status *next, bool looked, msec next_run, msec now) {
  json *patch = queue_status_patch(&q->status, next);
  const msec told = q->status.last_run;
  const bool same = patch == NULL && (q->status.next_run == 0) == (next_run == 0);
  if (!looked || (same && told <= now && now < told + TOLD_AGAIN_MS)) return patch;
  json_put(&patch);
  next->last_run = now;
  next->next_run = next_run;
  return queue_status_patch(&q->status, next);
}

void matchmaking_decide(const struct matchmaking_view *v, msec now, struct plan *ret) {
  const struct queue *q = v->self;
  if (q->meta.deleted != 0) return;
  const msec interval = (msec)q->interval_seconds * 1000;
  struct queue_status next;
  queue_status_copy(&next, &q->status);
  next.observed = q->meta.generation;
  const bool makes = say_ready(v, &next.conditions, now);
  const bool due = now >= q->status.last_run + interval || q->status.last_run > now;
  struct plan matches = {0};
  if (due) {
    struct pass pass = {0};
    pass_collect(v, now, &pass);
    if (!makes) {
      next.waiting = (int32_t)pass.count;
      next.playing = pass.playing;
    } else {
      make_matches(v, &pass, now, &next, &matches);
    }
    pass_done(&pass);
    plan_again(ret, interval);
  } else {
    plan_again(ret, q->status.last_run + interval - now);
  }
  // The matches first: their names make repeating them harmless, a lost pass would not be.
  plan_append(ret, &matches);
  plan_patch_status(ret, &KIND_QUEUE, &q->meta, patch_of(q, &next, due, makes ? now + interval : 0, now));
  plan_events(ret, &KIND_QUEUE, &q->meta, &q->status.conditions, &next.conditions);
  queue_status_done(&next);
}
