// What an exchange is made of; only the files that carry it from head to answer look inside.
//
//   connection.c   reads the request         -> exchange_new
//   dispatch.c     route, token, allowance, body  -> the handler
//   answer.c       head, ETag, gzip, bytes   -> connection.c
#pragma once

#include "base/clock.h"

#include "exchange.h"
#include "pairs.h"
#include "rate_limits.h"
#include "route.h"
#include "target.h"

struct connection;
struct server;
struct auth_check;

enum body_step {
  BODY_AHEAD,       // nobody has asked for it yet
  BODY_COLLECTING,  // JSON
  BODY_FLOWING,     // to the handler
  BODY_OVER,        // all of it came, or nobody wants it
};

struct head {  // of a request, as it was read
  const char *method;
  char *target;
  size_t target_length;
  struct pairs headers;    // names in lower case
  int minor;               // HTTP/1.x
  int64_t content_length;  // -1: chunked
  bool keep_alive, upgrade;
};

struct exchange {
  struct server *server;
  struct connection *connection;  // NULL: the client went away
  struct head head;
  struct target target;
  struct pairs parameters;
  const struct route *route;  // NULL: none
  const char *label;          // of metrics and the access log: the route's pattern, or a word
  char client[46];            // behind trusted proxies: the address they name
  bool secure, internal, is_head;
  char *user_id, *username;
  struct auth_check *auth;
  struct allowance allowance;
  bool counted;  // `allowance` is of this request
  // the body
  enum body_step body_step;
  struct str body;
  json *body_json;
  exchange_data_fn *data;
  void *data_context;
  // the answer
  struct pairs answer_headers;
  int status;    // 0: not answered yet
  bool handled;  // a handler has it
  bool stay;     // the connection goes on after it
  bool chunked;
  int64_t left;  // of a streamed answer's promised length; -1: unknown
  exchange_flow_fn *drained, *gone;
  void *flow_context;
  bool wants_drained;
  bool ended;
  unsigned pins;  // calls on the stack that still need it
  msec started;   // monotonic
  uint64_t sent;  // bytes of body
};

// connection.c's side. The head is taken. What comes next may be the answer already, from inside.
struct exchange *exchange_new(struct server *server, struct connection *connection, struct head *take_head);
void exchange_begin(struct exchange *x);
void exchange_take(struct exchange *x, const void *bytes, size_t length);  // of the body
void exchange_took_all(struct exchange *x);
void exchange_drained(struct exchange *x);
void exchange_lost(struct exchange *x);                                     // the client is gone
void exchange_broken_off(struct exchange *x, int status, const char *why);  // its body is late or malformed

// An answer to what never became an exchange.
void answer_refuse(struct server *server, struct connection *c, int status, const char *why);

// dispatch.c's and answer.c's
void exchange_pin(struct exchange *x);
bool exchange_unpin(struct exchange *x);   // false: it is dead
void exchange_finish(struct exchange *x);  // the answer is complete; dead, unless pinned
const char *exchange_answer_header(const struct exchange *x, const char *name);
