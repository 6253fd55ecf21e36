// The columns of a row from an object, by the decoders that the controller uses too.
#include <stdio.h>
#include <string.h>

#include "arena/resources.h"
#include "base/memory.h"
#include "base/str.h"

#include "store.h"

#define MADE_BY "rl-arena.io/made-by"
#define REQUESTED_BY "rl-arena.io/requested-by"

// Every kind's struct begins with its meta (which its decoder leaves alone).
union any {
  struct meta meta;
  struct agent agent;
  struct submission submission;
  struct match match;
  struct queue queue;
};

static bool is_uuid(const char *text) {
  static const char pattern[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  if (strlen(text) != strlen(pattern)) return false;
  for (size_t i = 0; pattern[i]; i++)
    if (pattern[i] == '-' ? text[i] != '-' : !strchr("0123456789abcdefABCDEF", text[i])) return false;
  return true;
}

static void add_head(json *row, const struct meta *m, const char *name_column) {
  json_add_text(row, "id", m->uid);
  json_add_text(row, name_column, m->name);
  json_add_micro_time(row, "created_at", m->created ? m->created : clock_now());
  json_add_int(row, "resource_version", (int64_t)m->version);
}

static void add_unless_zero(json *row, const char *column, int64_t n) {
  if (n != 0) json_add_int(row, column, n);
}

static void add_ready(json *row, const struct conditions *all) {
  const struct condition *ready = condition_find(all, "Ready");
  json_add_bool(row, "ready", ready && ready->status == CONDITION_TRUE);
  json_add_text(row, "reason", ready ? ready->reason : NULL);
  json_add_text(row, "message", ready ? ready->message : NULL);
}

// ---- environments ------------------------------------------------------------------------------

static void queue_row(json *row, const struct queue *q, json *object) {
  json *environment = json_at(object, "spec", "environment", NULL);
  const char *shown = json_text(environment, "displayName");
  add_head(row, &q->meta, "name");
  json_add_text(row, "display_name", text_empty(shown) ? q->meta.name : shown);
  json_add_text(row, "description", json_text(environment, "description"));
  json_add_int(row, "players", PARTICIPANTS_MAX);
  json_add_int(row, "elo_initial", q->elo_initial);
  json_add_bool(row, "allow_same_owner", q->allow_same_owner);
  json_add_bool(row, "paused", q->paused);
  add_ready(row, &q->status.conditions);
  json_add_int(row, "waiting", q->status.waiting);
  json_add_int(row, "playing", q->status.playing);
  json_add_int(row, "matched_total", q->status.matched_total);
  json_add_int(row, "median_wait_seconds", q->status.median_wait_seconds);
  json_add_time(row, "last_run_at", q->status.last_run);
  json_add_time(row, "next_run_at", q->status.next_run);
}

// ---- agents ------------------------------------------------------------------------------------

static void add_rating(json *row, const struct rating *r) {
  if (r->present) json_add_int(row, "elo", r->elo);
  if (r->present) json_add_int(row, "peak", r->peak);
  json_add_int(row, "rated_matches", r->matches);
  json_add_int(row, "wins", r->wins);
  json_add_int(row, "losses", r->losses);
  json_add_int(row, "draws", r->draws);
  json_add_bool(row, "provisional", r->present ? r->provisional : true);
}

static void agent_row(json *row, const struct agent *a, json *object) {
  const struct agent_status *s = &a->status;
  add_head(row, &a->meta, "object_name");
  json_add_text(row, "owner", a->owner);
  json_add_text(row, "environment", a->environment);
  json_add_text(row, "display_name", text_empty(a->display_name) ? a->meta.name : a->display_name);
  json_add_text(row, "description", json_text(json_get(object, "spec"), "description"));
  add_rating(row, &s->rating);
  if (!text_empty(s->active_submission)) json_add_text(row, "active_submission", s->active_submission);
  json_add_int(row, "active_version", s->active_version);
  json_add_int(row, "latest_version", s->latest_version);
  json_add_text(row, "pinned", a->pinned);
  json_add_bool(row, "enabled", a->enabled);
  json_add_bool(row, "suspended", a->suspended);
  json_add_int(row, "priority", a->priority);
  json_add_text(row, "queue_state", queue_state_text(s->queue.state));
  json_add_text(row, "queue_reason", s->queue.reason);
  json_add_micro_time(row, "enqueued_at", s->queue.enqueued);
  json_add_micro_time(row, "expires_at", s->queue.expires);
  json_add_int(row, "range_now", s->queue.range);
  add_ready(row, &s->conditions);
}

// ---- submissions -------------------------------------------------------------------------------

// In the words of REST: what the submission alone says (which Ready one plays, the agent says).
static const char *submission_status_word(const struct submission_status *s) {
  static const struct {
    const char *phase, *word;
  } words[] = {{"Building", "building"}, {"Scanning", "scanning"}, {"Ready", "success"}, {"Rejected", "rejected"}};
  if (condition_is_true(&s->conditions, "Ready")) return "success";
  for (unsigned i = 0; i < array_size(words); i++)
    if (text_equal(s->phase, words[i].phase)) return words[i].word;
  if (!text_equal(s->phase, "Failed")) return "pending";
  return condition_is(&s->conditions, "Built", CONDITION_FALSE) ? "build_failed" : "failed";
}

static const char *source_word(enum source_kind s) {
  static const char *const words[] = {"inline", "inline", "archive", "git", "image"};
  return words[s];
}

static void add_attempts(json *row, const struct submission_status *s, bool failed) {
  const struct attempt *last = s->builds.count ? &s->builds.items[s->builds.count - 1] : NULL;
  json_add_int(row, "attempts", s->builds.count);
  const struct attempt *told = last;
  if (s->scan_attempts.count) told = &s->scan_attempts.items[s->scan_attempts.count - 1];
  if (told && told->finished) json_add_text(row, "attempt_reason", told->reason);
  if (failed) json_add_text(row, "error_message", told && !text_empty(told->message) ? told->message : NULL);
  if (!last) return;
  json_add_text(row, "build_job", last->job);
  json_add_text(row, "build_pod", text_empty(last->pod) ? NULL : last->pod);
  json_add_micro_time(row, "last_attempt_at", last->started);
}

// status.scan as it is, but for texts that PostgreSQL does not take.
static void add_scan(json *row, json *object) {
  static const char *const counts[] = {"critical",      "high",       "medium",          "low",
                                       "unknown",       "fixable",    "fixableCritical", "fixableHigh",
                                       "fixableMedium", "fixableLow", "fixableUnknown"};
  static const char *const texts[] = {"id", "package", "installed", "fixed", "severity", "title"};
  json *from = json_at(object, "status", "scan", NULL);
  if (!json_object_is_type(from, json_type_object)) return;
  json *to = json_add_object(row, "scan");
  json_add_text(to, "scanner", json_text(from, "scanner"));
  json_add_text(to, "databaseDate", json_text(from, "databaseDate"));
  json_add_text(to, "finishedAt", json_text(from, "finishedAt"));
  for (unsigned i = 0; i < array_size(counts); i++) json_add_int(to, counts[i], json_int(from, counts[i], 0));
  json *list = json_get(from, "findings"), *findings = json_add_array(to, "findings");
  for (size_t i = 0; i < json_length(list) && i < FINDINGS_MAX; i++) {
    json *finding = json_push_object(findings);
    for (unsigned k = 0; k < array_size(texts); k++)
      json_add_text(finding, texts[k], json_text(json_item(list, i), texts[k]));
  }
}

static void submission_row(json *row, const struct submission *s, json *object) {
  const char *word = submission_status_word(&s->status);
  bool failed = text_equal(word, "failed") || text_equal(word, "build_failed");
  add_head(row, &s->meta, "object_name");
  json_add_text(row, "agent_object", s->agent);
  json_add_int(row, "version", s->status.version);
  json_add_text(row, "status", word);
  add_ready(row, &s->status.conditions);
  json_add_text(row, "source_kind", source_word(s->source));
  json_add_text(row, "code_url", s->url);
  json_add_text(row, "code_sha256", s->sha256);
  json_add_text(row, "image", text_empty(s->status.image) ? NULL : s->status.image);
  json_add_text(row, "digest", s->status.digest);
  add_attempts(row, &s->status, failed);
  add_scan(row, object);
}

// ---- matches -----------------------------------------------------------------------------------

static const char *match_status_word(const struct match_status *s) {
  if (condition_is_true(&s->conditions, "Complete")) return "completed";
  if (condition_is_true(&s->conditions, "Failed")) return "failed";
  return text_equal(s->phase, "Running") || text_equal(s->phase, "Rating") ? "running" : "pending";
}

// The column of one side.
static const char *sided(char ret[32], const char *column, unsigned side) {
  snprintf(ret, 32, "%s%u", column, side + 1);
  return ret;
}

static void add_result(json *row, const struct participant_status *p, unsigned side) {
  char column[32];
  if (p->outcome != OUTCOME_NONE) {
    json_add_text(row, sided(column, "outcome", side), outcome_text(p->outcome));
    json_add_double(row, sided(column, "score", side), p->score);
  }
  json_add_text(row, sided(column, "error", side), text_empty(p->error_message) ? NULL : p->error_message);
  if (p->match_number == 0) return;
  json_add_int(row, sided(column, "number", side), p->match_number);
  json_add_int(row, sided(column, "elo_before", side), p->elo_before);
  json_add_int(row, sided(column, "elo_after", side), p->elo_after);
}

static void add_side(json *row, const struct match *m, unsigned side) {
  static const struct participant_status nobody;
  char column[32];
  const struct participant_status *p = side < m->status.participant_count ? &m->status.participants[side] : &nobody;
  json_add_text(row, sided(column, "agent", side), m->participants[side].agent);
  char id_column[32];
  snprintf(id_column, sizeof(id_column), "agent%u_id", side + 1);
  json_add_text(row, id_column, p->agent_uid && is_uuid(p->agent_uid) ? p->agent_uid : NULL);
  json_add_text(row, sided(column, "submission", side),
                text_empty(p->submission) ? m->participants[side].submission : p->submission);
  add_unless_zero(row, sided(column, "version", side), p->version);
  add_result(row, p, side);
}

static void add_winner(json *row, const struct match *m) {
  for (unsigned i = 0; i < m->status.participant_count; i++) {
    const struct participant_status *p = &m->status.participants[i];
    if (p->outcome == OUTCOME_WIN) json_add_int(row, "winner", i + 1);
  }
}

static void add_replay(json *row, const struct match_status *s) {
  json_add_text(row, "replay_url", text_empty(s->replay_url) ? NULL : s->replay_url);
  json_add_text(row, "replay_html_url", text_empty(s->replay_html_url) ? NULL : s->replay_html_url);
  json_add_text(row, "replay_sha256", text_empty(s->replay_sha256) ? NULL : s->replay_sha256);
  json_add_text(row, "replay_html_sha256", text_empty(s->replay_html_sha256) ? NULL : s->replay_html_sha256);
}

static void match_row(json *row, const struct match *m, json *object) {
  const struct match_status *s = &m->status;
  const char *word = match_status_word(s);
  const struct condition *failed = condition_find(&s->conditions, "Failed");
  json *labels = json_at(object, "metadata", "labels", NULL);
  add_head(row, &m->meta, "object_name");
  json_add_text(row, "environment", m->environment);
  for (unsigned i = 0; i < PARTICIPANTS_MAX; i++) add_side(row, m, i);
  json_add_text(row, "status", word);
  if (text_equal(word, "completed")) add_winner(row, m);
  json_add_bool(row, "rated", m->rated);
  json_add_bool(row, "rated_done", condition_is_true(&s->conditions, "Rated"));
  json_add_bool(row, "matchmade", text_equal(json_text(labels, MADE_BY), "matchmaker"));
  json_add_text(row, "requested_by", json_text(labels, REQUESTED_BY));
  if (s->seed >= 0) json_add_int(row, "seed", s->seed);
  if (s->completed) json_add_int(row, "steps", s->steps);
  if (s->completed) json_add_int(row, "milliseconds", s->milliseconds);
  json_add_int(row, "attempt", s->attempt);
  add_replay(row, s);
  if (failed && failed->status == CONDITION_TRUE) json_add_text(row, "error_message", failed->message);
  json_add_micro_time(row, "started_at", s->started);
  json_add_micro_time(row, "completed_at", s->completed);
}

// ---- any kind ----------------------------------------------------------------------------------

static const struct {
  bool (*decode)(json *object, void *ret, struct error *e);
  owned_fn *owned;
} kinds[STORED_KINDS] = {
    [STORED_AGENT] = {agent_decode, agent_owned},
    [STORED_SUBMISSION] = {submission_decode, submission_owned},
    [STORED_MATCH] = {match_decode, match_owned},
    [STORED_QUEUE] = {queue_decode, queue_owned},
};

char *store_row(enum stored_kind kind, json *object, struct error *e) {
  union any any;
  memset(&any, 0, sizeof(any));  // all of it, whichever member is the largest
  if (meta_decode(object, &any.meta, e) != ERR_NONE) return NULL;
  json *row = NULL;
  if (!is_uuid(any.meta.uid)) {
    error_set(e, ERR_INVALID, "%s: metadata.uid \"%s\" is no UUID", any.meta.name, any.meta.uid);
  } else if (!kinds[kind].decode(object, &any, e)) {
    error_prefix(e, "%s", any.meta.name);
  } else {
    row = json_new_object();
    switch (kind) {
      case STORED_AGENT: agent_row(row, &any.agent, object); break;
      case STORED_SUBMISSION: submission_row(row, &any.submission, object); break;
      case STORED_MATCH: match_row(row, &any.match, object); break;
      case STORED_QUEUE: queue_row(row, &any.queue, object); break;
      case STORED_KINDS: break;
    }
  }
  owned_free(kinds[kind].owned, &any);
  char *text = row ? json_print(row) : NULL;
  json_put(&row);
  return text;
}
