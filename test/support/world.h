// A simulated world around the real decisions: the controller's own manager, caches, indexes, views
// and `decide` functions, over an API server that is a map from "Kind/name" to JSON.
//
// Plans are carried out here, action by action, with the API server's rules that matter
// (resourceVersion guard, AlreadyExists, merge patch, owners). A plan can be cut after any number of
// writes, which is what a crash does to it. The kubelet and the executor are scripted by the test.
// Time stands still until the test moves it.
#pragma once

#include "children.h"
#include "manager.h"

struct world;

struct world_game {
  const char *winner;  // agent's name; NULL: a draw
  enum wire_failure failure[PARTICIPANTS_MAX];
  enum wire_status status;
};

struct world {
  uv_loop_t loop;
  struct settings settings;
  struct manager m;
  struct metrics *metrics;
  struct map *objects;  // "Kind/name" -> json
  uint64_t version;
  msec now;
  msec jumped;          // by which the wall clock was set: the monotonic clock is now - jumped
  msec watched_since;   // monotonic: when the watches were broken and began again; 0: never
  unsigned writes;      // API writes so far
  unsigned stop_after;  // the controller dies before the write that follows this many; 0: it lives
  bool dead;
  bool skip[RECONCILER_COUNT];  // kinds that this test does not let the controller look at
  bool pods_start;              // Pods become Ready as soon as they exist
  bool executor_answers;
  struct world_game game;   // what every executor call gives
  struct error call_error;  // code != 0: what every executor call fails with
  unsigned calls;
  struct map *open_calls;  // by the match's uid: struct world_call
  unsigned events;
  const char *(*read_log)(struct world *w, const char *pod, const char *container);  // NULL: every log is empty
  void *script;                                                                      // of the test's kubelet
};

struct world_call {
  char *match, *uid;
  uint8_t *request;
  size_t length;
  int32_t attempt;
  enum call_state state;
  msec finished;  // monotonic
  struct wire_result result;
  struct error error;
};

void world_init(struct world *w);
void world_done(struct world *w);
// Creates an object from JSON text (single quotes stand for double ones); metadata and defaults are added.
void world_apply(struct world *w, const char *text);
// Merge-patches it from outside, as a user (subresources included).
void world_patch(struct world *w, const char *kind, const char *name, const char *patch);
void world_delete(struct world *w, const char *kind, const char *name);
json *world_get(struct world *w, const char *kind, const char *name);  // borrowed; NULL when absent
size_t world_count(struct world *w, const char *kind);
// Looks at every object again and again until no plan has an action. Fails the test after 200 rounds.
void world_settle(struct world *w);
// A queue, and an agent with a Ready submission "<agent>-v1", as most tests need them.
void world_add_queue(struct world *w, const char *environment);
void world_add_agent(struct world *w, const char *name, const char *owner, const char *environment);
void world_add_match(struct world *w, const char *name, const char *environment, const char *a, const char *b);
// Moves time by steps and settles after each.
void world_wait(struct world *w, msec time, msec step);
// The wall clock is set; the monotonic one knows nothing of it.
void world_jump(struct world *w, msec by);
// The controller is started anew: caches filled from the objects, calls forgotten.
void world_restart(struct world *w);
// Borrowed texts and numbers by path "status.rating.elo"; array steps are numbers.
const char *world_text(struct world *w, const char *kind, const char *name, const char *path);
int64_t world_int(struct world *w, const char *kind, const char *name, const char *path);
// A condition's "True/Reason", "" when absent; valid until the next call.
const char *world_condition(struct world *w, const char *kind, const char *name, const char *type);
// Its message, borrowed until the object changes; "" when there is none.
const char *world_message(struct world *w, const char *kind, const char *name, const char *type);
