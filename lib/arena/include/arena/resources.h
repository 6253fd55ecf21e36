// The four kinds as typed structs: just the fields that decisions need.
//
// A cached object is never changed. A decision copies the status (`*_status_copy`), changes the
// copy, and the difference goes to the API server as a JSON merge patch (`*_status_patch`), which
// names only top-level status fields that differ (all of them for a status never written before, so
// that what is 0 is shown as 0); nested objects and lists are whole. Strings are owned by their struct and may be NULL
// when the field is absent, unless said otherwise. Shapes: crds/, docs/resources.md.
//
// Decoders put up with what a schema would refuse: numbers are brought into the schema's range, an
// unknown word counts as the default, lists are cut at their maximum. They return false only when a
// field is missing that the schema requires (so those are never NULL here). Encoders make texts
// valid UTF-8 and cut them to the schema's bounds, so that the API server never refuses a status.
// Times in a status have whole seconds, except an Agent's queue.enqueuedAt and a Match's startTime and
// completionTime, which have milliseconds: they are compared with each other.
#pragma once

#include "arena/conditions.h"
#include "base/meta.h"

#define ARENA_GROUP "rl-arena.io"
#define ARENA_VERSION "v1alpha1"
#define ARENA_API_VERSION ARENA_GROUP "/" ARENA_VERSION
// Where there is a front: on every Match, until its last row is in PostgreSQL. Who makes a Match puts it on, the
// front's mirror on those of others, and it alone takes it off.
#define MIRROR_FINALIZER ARENA_GROUP "/mirror"

// ---- Agent -------------------------------------------------------------------------------------

enum agent_mode { AGENT_CONTINUOUS, AGENT_ONCE };
enum queue_state { QUEUE_IDLE, QUEUE_WAITING, QUEUE_PLAYING, QUEUE_COOLDOWN, QUEUE_EXPIRED, QUEUE_SUSPENDED };
const char *queue_state_text(enum queue_state s);  // "Idle"...

struct rating {
  int32_t elo, matches, wins, losses, draws, peak;
  bool provisional;
  bool present;  // false: not rated yet, starts from the queue's elo.initial
};

struct agent_queue {
  enum queue_state state;
  msec enqueued, expires;  // 0: not set
  int32_t range;           // rangeNow: +-Elo it accepts now; 0: not waiting
  char *ticket;            // what the last entry was for: "<submission>/<generation>"
  char *reason;            // a sentence: why it is in this state
};

struct agent_status {
  int64_t observed;
  char *active_submission;  // name
  int32_t active_version;   // its version; 0: none
  char *image;              // by digest
  int32_t latest_version;
  char *latest_submission;  // uid of the submission that latest_version was given to
  struct rating rating;
  struct agent_queue queue;
  int32_t consecutive_forfeits;
  struct conditions conditions;
};

struct agent {
  struct meta meta;
  char *owner, *environment;
  char *display_name;
  char *pinned;  // spec.activeSubmission
  bool enabled;  // spec.matchmaking.enabled
  bool suspended;
  uint8_t priority;  // 1..10
  enum agent_mode mode;
  struct agent_status status;
};

// Decoders leave the meta to the caller; `*_owned`, for base/owned.h, names it too.
bool agent_decode(json *object, void *ret_agent, struct error *e);
void agent_owned(struct owned *o, void *agent);
void agent_status_copy(struct agent_status *ret, const struct agent_status *from);
void agent_status_done(struct agent_status *s);
// {"status":{...}} of what differs, NULL when nothing does. The caller adds metadata.resourceVersion.
json *agent_status_patch(const struct agent_status *from, const struct agent_status *to);

// ---- Submission --------------------------------------------------------------------------------

enum source_kind { SOURCE_NONE, SOURCE_INLINE, SOURCE_ARCHIVE, SOURCE_GIT, SOURCE_IMAGE };

enum { ATTEMPTS_MAX = 4, FINDINGS_MAX = 50 };

struct attempt {
  int32_t number;
  char *job, *pod;
  msec started, finished;  // finished 0: running
  char *reason;            // "Succeeded", "OOMKilled", "DeadlineExceeded", "BuildFailed", ...
  char *message;
};

struct attempts {
  struct attempt *items;  // at most ATTEMPTS_MAX; NULL when empty
  unsigned count;
};

enum severity { SEVERITY_UNKNOWN, SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_CRITICAL, SEVERITY_COUNT };
const char *severity_text(enum severity s);      // "CRITICAL"
enum severity severity_parse(const char *text);  // SEVERITY_UNKNOWN for anything else

struct finding {
  char *id, *package, *installed, *fixed /* "" or NULL: no fix */, *title;
  enum severity severity;
};

// All that was found in an image: one for all submissions that have the same, since those on one base image do. Never
// changed. findings.c
struct findings {
  unsigned count;
  struct finding items[];
};
// Takes the texts. NULL for none.
const struct findings *findings_share(struct finding *take_items, unsigned count);
const struct findings *findings_again(const struct findings *f);  // the same, for one more; NULL stays NULL
void findings_done(const struct findings *f);                     // by each; NULL is fine

struct scan {
  bool present;
  char *scanner;  // "trivy 0.74.0"
  msec database, finished;
  int32_t total[SEVERITY_COUNT];
  int32_t fixable[SEVERITY_COUNT];
  const struct findings *findings;  // worst first; NULL: none
};

struct submission_status {
  int64_t observed;
  char *phase;                    // Pending, Building, Scanning, Ready, Rejected, Failed
  int32_t version;                // 0: not given yet
  char *image;                    // by digest, set once built (or, for a ready-made image, once scanned)
  char *digest;                   // "sha256:..."
  struct attempts builds;         // status.attempts
  struct attempts scan_attempts;  // status.scanAttempts, same shape
  struct scan scan;
  struct conditions conditions;
};

struct submission {
  struct meta meta;
  char *agent;
  char *agent_uid;  // of the one Agent of that name among its owners: goes with that one; NULL: whichever has the name
  enum source_kind source;
  char *url, *sha256, *format;  // archive; url also git
  char *ref, *path;             // git
  char *image;                  // ready-made
  char **files;                 // inline: names in the object's order; owned
  unsigned file_count;
  int32_t timeout_seconds, max_retries;
  bool no_cache;
  struct submission_status status;
};

// Not of one that was made under the name of a deleted agent while its submissions are on their way out.
bool submission_is_of(const struct submission *s, const struct agent *a);
bool submission_decode(json *object, void *ret_submission, struct error *e);
void submission_owned(struct owned *o, void *submission);
void submission_status_copy(struct submission_status *ret, const struct submission_status *from);
void submission_status_done(struct submission_status *s);
json *submission_status_patch(const struct submission_status *from, const struct submission_status *to);
// NULL when full. Moves those before it.
struct attempt *attempts_add(struct attempts *a, int32_t number);
void scan_done(struct scan *s);  // frees and clears: not present

// ---- Match -------------------------------------------------------------------------------------

enum { PARTICIPANTS_MAX = 2 };
enum outcome { OUTCOME_NONE, OUTCOME_WIN, OUTCOME_LOSS, OUTCOME_DRAW, OUTCOME_FORFEIT };
const char *outcome_text(enum outcome o);  // "Win"..., "" for none

struct participant_status {
  char *agent, *agent_uid, *submission, *image;
  int32_t version;
  double score;
  int32_t errors;
  enum outcome outcome;
  char *error_message;
  int32_t elo_before, elo_after;  // with match_number > 0
  int32_t match_number;           // the agent's rated matches including this one; 0: not rated
};

struct match_status {
  int64_t observed;
  char *phase;   // Pending, Preparing, Running, Rating, Complete, Failed
  char *reason;  // of the condition that explains the phase
  struct participant_status participants[PARTICIPANTS_MAX];
  unsigned participant_count;
  char *winner;  // agent name; NULL: draw or none
  int64_t seed;  // -1: not chosen yet
  char *environment_version;
  int64_t steps, milliseconds;
  int32_t attempt;  // 0: none yet
  char *replay_url, *replay_html_url, *replay_sha256, *replay_html_sha256;
  msec started, completed;
  struct conditions conditions;
};

struct match {
  struct meta meta;
  char *environment;
  struct {
    char *agent, *submission /* may be NULL */;
  } participants[PARTICIPANTS_MAX];
  unsigned participant_count;
  bool rated, record_replay;
  int64_t seed;  // -1: none asked
  int32_t timeout_seconds;
  int32_t ttl_seconds;  // -1: kept
  struct match_status status;
};

bool match_decode(json *object, void *ret_match, struct error *e);
void match_owned(struct owned *o, void *match);
void match_status_copy(struct match_status *ret, const struct match_status *from);
void match_status_done(struct match_status *s);
json *match_status_patch(const struct match_status *from, const struct match_status *to);
bool match_is_finished(const struct match *m);                     // Complete or Failed is True
int match_seat_of(const struct match *m, const char *agent_name);  // -1: not in it

// ---- MatchmakingQueue --------------------------------------------------------------------------

struct match_defaults {
  int32_t timeout_seconds, move_ms, bank_ms, startup_seconds;
  int32_t ttl_seconds;
  bool record_replay;
  char *cpu, *memory;  // quantities; NULL: the controller's
};

struct queue_status {
  int64_t observed;
  int32_t waiting, playing;
  int64_t matched_total;
  msec last_run, next_run;
  int32_t median_wait_seconds;
  struct conditions conditions;
};

struct queue {
  struct meta meta;
  char *environment;  // spec.environment.name
  bool paused, allow_same_owner, ignore_unfixed;
  int32_t interval_seconds;
  int32_t elo_initial, elo_range, elo_step, elo_max_range, elo_widen_seconds;
  int32_t entry_ttl_seconds, cooldown_seconds, max_per_day;
  int32_t max_concurrent;            // 0: no limit
  int32_t max_concurrent_per_agent;  // >= 1
  struct match_defaults match;
  enum severity fail_on;
  bool never_fail;  // spec.scan.failOn = NONE
  struct queue_status status;
};

bool queue_decode(json *object, void *ret_queue, struct error *e);
void queue_owned(struct owned *o, void *queue);
void queue_status_copy(struct queue_status *ret, const struct queue_status *from);
void queue_status_done(struct queue_status *s);
json *queue_status_patch(const struct queue_status *from, const struct queue_status *to);
