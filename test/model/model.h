// One state of the model: an API server, the real controller around its real caches' stores, an
// executor, and what users and nodes may still do. All of it lies in the snapshot heap (heap.h).
//
// Real: controller/*.c (manager, views, decisions, apply, executor table), lib/kube/store.c, lib/arena.
// Ours: the API server behind kube_call_start, the caches' feeding (lists, events), the work queues'
// order (any key that waits may be next), timers, the clock, the executor behind grpc_start.
#pragma once

#include "io/grpc.h"
#include "kube/cache.h"
#include "kube/workqueue.h"

#include "manager.h"
#include "scenario.h"

enum {
  EVENTS_MAX = 12,      // that one cache may lag behind
  CALLS_MAX = 32,       // requests under way
  OBJECTS_MAX = 64,     // of the whole namespace
  KEYS_MAX = 16,        // of one kind
  FLIGHTS_MAX = 32,     // plans under way
  GAMES_MAX = 16,       // matches that the executor knows
  VERSIONS_MAX = 1024,  // writes in one run
  GUARDS_MAX = 6,
};

struct object {
  char *kind, *name;
  enum cache_id cache;  // CACHE_COUNT: in none
  json *body;           // never changed: every write makes another
  uint64_t version, hash;
};

struct event {
  int type;             // enum watch_type
  json *body, *before;  // `before` NULL: it was not there
  uint64_t version, hash;
};

struct feed {  // what a cache has not been told yet, oldest first
  struct event events[EVENTS_MAX];
  unsigned count;
};

// A request that the controller has sent.
struct kube_call {
  const char *method;
  const struct kube_kind *kind;
  char *name, *subresource;
  json *body;
  kube_done_fn *done;
  void *context;
  bool served;  // the server has done it; the answer is under way
  json *answer;
  char *text;
  struct error error;
};

struct key {
  char *name;
  bool waiting, busy, again;
  msec due;  // 0: no timer
};

struct workqueue {
  enum reconciler_id id;
  workqueue_fn *fn;
  void *context;
  bool running;
  struct key keys[KEYS_MAX];
  unsigned count;
};

// A plan that is being carried out.
struct flight {
  enum reconciler_id id;
  char *key;
  void *run;  // apply.c's, known by its address only
  uint64_t plan;
  unsigned done;        // requests answered
  struct timer *later;  // it waits to send its request again
  msec again;
  struct {
    const char *kind;
    char *name;
    uint64_t version;
  } guards[GUARDS_MAX];
  unsigned guard_count;
};

// A RunMatch call that waits for its game.
struct grpc_call {
  grpc_done_fn *done;
  void *context;
  char *match;
  uint32_t attempt;
};

struct game {
  char *match;  // uid
  char *agents[PARTICIPANTS_MAX];
  uint32_t attempt;
  uint64_t seed;
  bool running;
  enum result result;  // finished: kept, and given again to whoever asks
};

struct model {
  const struct scenario *scenario;
  msec now;
  struct settings settings;
  struct metrics *metrics;
  struct manager *m;  // NULL: it is dead

  uint64_t version;
  uint32_t content[VERSIONS_MAX];  // by version: hash of the object that was written
  struct object objects[OBJECTS_MAX];
  unsigned object_count;
  struct feed feeds[CACHE_COUNT];
  struct feed pasts[CACHE_COUNT];  // the last of all events, told or not
  struct map *born;                // "Kind/name" -> how often

  struct cache *caches[CACHE_COUNT];
  unsigned cache_count;
  struct workqueue *queues[RECONCILER_COUNT];
  struct timer *armed;  // a timer of 0 ms that is set
  struct kube_call *calls[CALLS_MAX];
  unsigned call_count;
  struct flight flights[FLIGHTS_MAX];
  unsigned flight_count;
  enum reconciler_id looking_id;
  const char *looking_key;

  struct grpc_call *asked[GAMES_MAX];
  unsigned asked_count;
  struct game games[GAMES_MAX];
  unsigned game_count;

  struct ledger *ledger;
  unsigned faults_left, ticks_left;
  unsigned used[FAULT_COUNT];
  uint64_t gone;  // bits of scenario->removals that a user has deleted
  char violation[512];
};

extern struct model *model;

void model_new(const struct scenario *s);  // in the heap that is entered
void model_free(void);
// Notes the first contradiction.
void model_violate(const char *format, ...) __attribute__((format(printf, 1, 2)));

// ---- the API server: server.c --------------------------------------------------------------------

enum cache_id cache_id_of(json *object);
struct object *object_find(const char *kind, const char *name);
struct object *object_of_uid(const char *uid);
const char *object_uid(const struct object *o);
const char *object_owner_uid(const struct object *o);
enum { UID_SIZE = 40 };
bool match_uid(unsigned i, char ret[UID_SIZE]);          // of the i-th Match that ever was; false: there were no more
struct object *object_create(json *take_body);           // NULL: the name is taken
void object_write(struct object *o, json *take_body);    // as a new version; nothing when it is equal
json *object_edit(const struct object *o);               // a copy to change and write
void object_merge(json *target, json *patch);            // RFC 7386
void object_apply(const char *text);                     // single quotes stand for double ones
void object_delete(const char *kind, const char *name);  // as kubectl does it: Pods linger
void object_remove(const char *kind, const char *name);  // it is gone now
void call_serve(struct kube_call *c);                    // the server's side of it
void call_serve_again(struct kube_call *c);              // it came a second time, and that is what is answered
void call_answer(struct kube_call *c, const struct error *e);  // the controller hears of it; NULL: what the server said
void call_drop(struct kube_call *c);

// ---- around the controller: controller.c, informer.c ---------------------------------------------

void controller_start(void);  // its caches were warm, from the past as far as it goes; then it leads
void controller_die(void);
void controller_look(enum reconciler_id id, unsigned key);
void controller_send_again(struct flight *f);
void controller_run_timers(void);
struct flight *flight_of(const void *run);
void feed_push(enum cache_id id, int type, const struct object *o, json *before);
void feeds_forget(void);
void feeds_skip_known(void);  // events of what the caches know already
void feed_deliver(enum cache_id id);
void feed_list(enum cache_id id);  // the watch broke; everything is listed again
const struct store *feed_store(enum cache_id id);

// ---- the executor: executor_model.c --------------------------------------------------------------

bool game_can_finish(const struct game *g);
void game_finish(struct game *g, enum result r);
struct grpc_call *game_caller(const struct game *g);
void game_fail(struct game *g, enum error_code code);  // its caller hears an error; the game is as it was
void games_forget(void);                               // the executor is started anew, without its disk

// ---- invariants: ledger.c, check.c ---------------------------------------------------------------

void ledger_new(void);
void ledger_created(const struct object *o);
void ledger_written(const struct object *before, const struct object *after);
void ledger_deleted(const struct object *o);
uint64_t ledger_hash(void);
unsigned faults_costly(void);  // that have happened and cost a match an attempt
void check_state(void);
bool check_settled(void);  // at rest: is everything as it should be in the end? Violates when not.

uint64_t fingerprint(void);
