// What the hub's files share: hub.c (connections, who gets what), hub_client.c (what clients ask for), hub_replay.c
// (what they missed). Everything runs on the loop; sockets are closed from the loop alone, never from inside a call
// here.
#pragma once

#include <uv.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/map.h"
#include "io/db.h"
#include "io/metrics.h"
#include "io/timer.h"

#include "app.h"
#include "auth.h"
#include "events.h"
#include "hub.h"
#include "hub_frame.h"
#include "hub_message.h"
#include "hub_topics.h"
#include "match_frames.h"

enum {
  HUB_CONNECTIONS = 10000,
  HUB_CONNECTIONS_OF_USER = 20,
  HUB_AUTH_MS = 10 * 1000,
  HUB_LIFE_MS = 24 * 3600 * 1000,  // as long as a token is good
  HUB_TOPICS = 100,                // of a connection
};

enum close_code {
  CLOSE_UNAUTHENTICATED = 4001,
  CLOSE_SLOW = 4008,
  CLOSE_TALKATIVE = 4029,
  CLOSE_FULL = 1013,
};

struct replay_turn {
  struct hub_connection *connection;  // NULL: it has gone
  struct replay_turn *next;
};

struct hub {
  struct app *app;
  struct events *events;
  struct match_frames *frames;
  struct topics *topics;
  struct hub_connection *connections;
  unsigned count;
  struct hub_connection *closing;  // waits for `reaper`
  struct timer *reaper;
  struct timer *tick;
  struct metric *open, *sent, *dropped;

  struct replay_turn *replay_first, *replay_last;  // wait for their turn
  unsigned replays;                                // that run
  struct timer *replay_again;
  struct recheck *rechecks;  // hub.c
};

struct replay_job;   // hub_replay.c
struct subscribing;  // hub_client.c

struct hub_connection {
  struct hub *hub;
  struct hub_connection *previous, *next;
  const struct hub_socket *socket;
  void *socket_context;
  char *user_id, *username;  // NULL: not authenticated yet
  msec opened;

  struct backlog backlog;
  struct frame *sending;  // what the socket has borrowed
  bool asked;             // the socket knows that there is something
  int close_code;         // 0: open
  const char *close_reason;
  struct hub_connection *next_closing;

  struct membership *memberships;
  unsigned topic_count;
  int64_t last_event;  // the event pushed last, so that one that is meant twice comes once

  struct auth_check *checking;
  int64_t auth_since;
  struct subscribing *subscribing;  // what PostgreSQL is asked
  unsigned subscribing_count;
  unsigned messages;
  msec messages_since;

  // Events up to the cursor are done with. While it is replaying, what comes is left in the table.
  int64_t cursor;
  bool replaying, resuming, replay_queued, replay_failed, draining;
  struct replay_job *jobs;
  struct db_call *replay_call;
  int64_t replay_bound;  // of the page under way
};

// ---- hub.c ---------------------------------------------------------------------------------------
void hub_push(struct hub_connection *c, struct frame *f);         // closes it when it is too slow
void hub_push_anyway(struct hub_connection *c, struct frame *f);  // beyond the bounds
// Makes a frame from a type and a payload object, which is taken, and sends it to this one.
void hub_answer(struct hub_connection *c, const char *type, json *take_payload, int64_t id);
void hub_complain(struct hub_connection *c, const char *word, const char *message, const char *topic);
void hub_close(struct hub_connection *c, int code, const char *reason);               // soon, from the loop
bool hub_admit(struct hub_connection *c, const char *user_id, const char *username);  // false: too many of this user
void hub_greet(struct hub_connection *c, const char *type, int64_t since);
// Another spelling that the contract has for events of the type; NULL: none.
const char *hub_alias(const char *type);

// ---- hub_client.c --------------------------------------------------------------------------------
void hub_client_done(struct hub_connection *c);  // cancels what it waits for

// ---- hub_replay.c --------------------------------------------------------------------------------
void hub_replay_all(struct hub_connection *c, int64_t since);  // its private events, and topics as they are then
void hub_replay_topics(struct hub_connection *c, char *take_topics /* array literal */, int64_t since);
void hub_replay_drained(struct hub_connection *c);  // there is room for more
void hub_replay_pump(struct hub *h);
void hub_replay_init(struct hub *h);
void hub_replay_end(struct hub *h);
void hub_replay_done(struct hub_connection *c);
