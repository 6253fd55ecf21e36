#include "connection.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#include "connection_parts.h"
#include "server.h"
#include "websocket.h"

enum {
  AHEAD_MAX = 64 * 1024,     // bytes read that wait; then reading stops
  BACKLOG_MAX = 256 * 1024,  // bytes unsent; then no further request is begun
  HEAD_MS = 10 * 1000,
  BODY_IDLE_MS = 30 * 1000,
  BODY_MS = 10 * 60 * 1000,
  IDLE_MS = 75 * 1000,   // between requests
  STUCK_MS = 60 * 1000,  // the client takes nothing of an answer
  LINGER_MS = 3 * 1000,  // after the last answer, for the client to read it
};

void connection_step_to(struct connection *c, enum step step) {
  c->step = step;
  c->step_since = c->progress = clock_monotonic();
}

// ---- its end ---------------------------------------------------------------------------------------

static void forget_head(struct connection *c) {
  free(c->head.target);
  pairs_done(&c->head.headers);
  c->head = (struct head){0};
  str_clear(&c->target);
  str_clear(&c->name);
  str_clear(&c->value);
  c->in_value = false;
}

static void close_after_answer(struct connection *c) {
  if (c->step != STEP_LINGER) connection_step_to(c, STEP_CLOSING);
  str_clear(&c->in);
  connection_wake(c);
}

// What http-parser refused: nothing after it can be believed.
static void answer_refusal(struct connection *c) {
  if (c->step == STEP_BODY && !c->head_ready) {
    if (c->exchange)
      exchange_broken_off(c->exchange, 400, "the request's body is malformed");
    else
      close_after_answer(c);
    return;
  }
  struct refusal r = connection_refusal(c);
  c->head_ready = false;
  forget_head(c);
  answer_refuse(c->server, c, r.status, r.text);
  close_after_answer(c);
}

static void begin(struct connection *c) {
  c->head_ready = false;
  c->discarded = 0;
  c->wants_body = c->discarding = false;
  struct head head = c->head;
  c->head = (struct head){0};
  forget_head(c);
  if (c->draining) head.keep_alive = false;
  c->exchange = exchange_new(c->server, c, &head);
  exchange_begin(c->exchange);
}

// Whether there is something to read for, and whoever it is for wants it.
static bool can_parse(const struct connection *c) {
  switch (c->step) {
    case STEP_IDLE:
    case STEP_HEAD: return !c->draining && connection_backlog(c) < BACKLOG_MAX;
    case STEP_BODY: return c->wants_body || c->discarding;
    case STEP_ANSWER:
    case STEP_CLOSING:
    case STEP_LINGER:
    case STEP_WEBSOCKET: break;
  }
  return false;
}

static void parse(struct connection *c) {
  http_parser_pause(&c->parser, 0);
  bool before_head = !c->head_ready;
  size_t length = c->in.length;
  if (c->step == STEP_IDLE) c->begins_with_letter = str_text(&c->in)[0] >= 'A' && str_text(&c->in)[0] <= 'Z';
  size_t used = http_parser_execute(&c->parser, &connection_parser, str_text(&c->in), length);
  enum http_errno why = HTTP_PARSER_ERRNO(&c->parser);
  str_drop_front(&c->in, used < length ? used : length);
  // As Debian builds it, http-parser takes any byte for the line feed that ends the headers.
  bool ended_well = !before_head || !c->head_ready || str_text(&c->in)[0] == '\n';
  if (!ended_well) connection_refuse(c, 400, "the headers do not end in an empty line");
  if ((why != HPE_OK && why != HPE_PAUSED) || !ended_well) answer_refusal(c);
}

static void update_reading(struct connection *c) {
  bool wanted = c->step == STEP_LINGER || c->step == STEP_CLOSING;
  if (c->step == STEP_WEBSOCKET)
    wanted = connection_backlog(c) < BACKLOG_MAX;
  else if (!wanted)  // while an answer is under way too: only a read tells that the client is gone
    wanted = c->in.length < AHEAD_MAX && (c->step != STEP_BODY || can_parse(c));
  if (wanted == c->reading) return;
  c->reading = wanted;
  c->transport->read(c->socket, wanted);
}

// Wakes the socket only for what was done here: it is asked itself after each wake, and would never sleep.
static void process(struct connection *c) {
  if (c->processing) return;
  c->processing = true;
  bool worked = false;
  for (;;) {
    if (c->head_ready) {
      // The end of a request without a body is the last byte of its head.
      if (c->step == STEP_BODY && c->head.content_length == 0) parse(c);
      if (c->head_ready) begin(c);
    } else if (c->step == STEP_WEBSOCKET) {
      if (c->in.length == 0) break;
      websocket_receive(c->websocket, c->in.data, c->in.length);
      str_clear(&c->in);
    } else if (can_parse(c) && (c->in.length > 0)) {
      parse(c);
    } else {
      break;
    }
    worked = true;
  }
  if (c->step == STEP_CLOSING || c->step == STEP_LINGER) str_clear(&c->in);
  c->processing = false;
  update_reading(c);
  if (worked) connection_wake(c);
}

// ---- the socket's side -----------------------------------------------------------------------------

struct connection *connection_new(struct server *server, const struct transport *transport, void *socket,
                                  const struct peer *peer) {
  struct connection *c = mem_alloc(sizeof(*c));
  c->server = server;
  c->transport = transport;
  c->socket = socket;
  c->peer = *peer;
  c->reading = true;
  c->in = STR_INIT(4 * 1024 * 1024);
  c->out = STR_INIT(SIZE_MAX / 2);
  c->target = STR_INIT(TARGET_MAX);
  c->name = c->value = STR_INIT(HEAD_MAX);
  http_parser_set_max_header_size(HEAD_MAX);
  http_parser_init(&c->parser, HTTP_REQUEST);
  c->parser.data = c;
  connection_step_to(c, STEP_IDLE);
  return c;
}

void connection_receive(struct connection *c, const void *bytes, size_t length) {
  if (c->step == STEP_CLOSING || c->step == STEP_LINGER) return;
  if (c->step == STEP_BODY || c->step == STEP_WEBSOCKET) c->progress = clock_monotonic();
  str_add_bytes(&c->in, bytes, length);
  process(c);
}

static void when_empty(struct connection *c) {
  if (c->step == STEP_WEBSOCKET && websocket_is_over(c->websocket)) connection_step_to(c, STEP_CLOSING);
  if (c->step == STEP_CLOSING) {
    connection_step_to(c, STEP_LINGER);
    c->transport->shut(c->socket);
  } else if (c->exchange) {
    exchange_drained(c->exchange);
  }
}

const void *connection_next(struct connection *c, size_t *ret_length) {
  process(c);
  if (c->step == STEP_WEBSOCKET) {
    websocket_fill(c->websocket, &c->out);
    update_reading(c);
  }
  if (c->out.length == c->out_sent) {
    when_empty(c);
    if (c->out.length == c->out_sent) return NULL;
  }
  *ret_length = c->out.length - c->out_sent;
  return c->out.data + c->out_sent;
}

void connection_sent(struct connection *c, size_t length) {
  c->progress = clock_monotonic();
  c->out_sent += length;
  if (c->out_sent < c->out.length) return;
  c->out_sent = 0;
  str_clear(&c->out);
  if (c->out.room > BACKLOG_MAX) {  // one large answer is no reason to keep its room
    str_done(&c->out);
    c->out = STR_INIT(SIZE_MAX / 2);
  }
  when_empty(c);
  connection_wake(c);
}

void connection_tick(struct connection *c, msec now) {
  msec since = now - c->step_since, idle = now - c->progress;
  if (connection_backlog(c) > 0 && idle > STUCK_MS) {
    c->transport->kill(c->socket);
    return;
  }
  switch (c->step) {
    case STEP_IDLE:
      if (connection_backlog(c) == 0 && since > (c->request_since ? IDLE_MS : HEAD_MS)) c->transport->kill(c->socket);
      break;
    case STEP_HEAD:
      if (since <= HEAD_MS) break;
      forget_head(c);
      answer_refuse(c->server, c, 408, "the request's headers took longer than 10 s");
      close_after_answer(c);
      break;
    case STEP_BODY:
      if (c->discarding ? since <= BODY_IDLE_MS : !c->wants_body || (idle <= BODY_IDLE_MS && since <= BODY_MS)) break;
      if (c->exchange)
        exchange_broken_off(c->exchange, 408, "the request's body did not come in time");
      else
        close_after_answer(c);
      break;
    case STEP_LINGER:
      if (since > LINGER_MS) c->transport->kill(c->socket);
      break;
    case STEP_WEBSOCKET:
      if (!websocket_tick(c->websocket, now)) c->transport->kill(c->socket);
      break;
    case STEP_CLOSING:
      // All is sent, yet a client that reads nothing leaves no room that would wake us for the end.
      if (connection_backlog(c) == 0 && since > STUCK_MS) c->transport->kill(c->socket);
      break;
    case STEP_ANSWER: break;
  }
  process(c);
}

void connection_drain(struct connection *c) {
  c->draining = true;
  if (c->websocket) websocket_close(c->websocket, 1001, "the server stops");
  if (c->step == STEP_IDLE && connection_backlog(c) == 0)
    c->transport->kill(c->socket);
  else if (c->step == STEP_IDLE)
    close_after_answer(c);
  connection_wake(c);
}

void connection_gone(struct connection *c) {
  c->processing = true;  // nothing is begun any more
  if (c->exchange) exchange_lost(c->exchange);
  websocket_free(c->websocket);
  forget_head(c);
  str_done(&c->in);
  str_done(&c->out);
  str_done(&c->target);
  str_done(&c->name);
  str_done(&c->value);
  free(c);
}

// ---- the exchange's side ---------------------------------------------------------------------------

void connection_write(struct connection *c, const void *bytes, size_t length) {
  if (connection_backlog(c) == 0) c->progress = clock_monotonic();
  str_add_bytes(&c->out, bytes, length);
  connection_wake(c);
}

size_t connection_backlog(const struct connection *c) {
  return c->out.length - c->out_sent;
}

void connection_take_body(struct connection *c, bool wanted) {
  if (wanted && c->expects) {
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    connection_write(c, text, strlen(text));
    c->expects = false;
  }
  if (wanted && !c->wants_body) c->progress = clock_monotonic();
  c->wants_body = wanted;
  connection_wake(c);
}

bool connection_can_stay(const struct connection *c) {
  if (c->draining) return false;
  if (c->step != STEP_BODY) return c->step == STEP_ANSWER;
  // Who waits for our word may send the body or not: nobody can tell what comes next.
  if (c->expects) return false;
  return c->parser.content_length <= DISCARD_MAX ||
         pairs_get(&c->exchange->head.headers, "transfer-encoding") != NULL || c->exchange->head.content_length == 0;
}

void connection_answered(struct connection *c, bool stay) {
  c->exchange = NULL;
  if (!stay) {
    close_after_answer(c);
  } else if (c->step == STEP_BODY) {
    c->discarding = true;
    c->step_since = clock_monotonic();
  } else {
    connection_step_to(c, STEP_IDLE);
  }
  connection_wake(c);
}

const struct peer *connection_peer(const struct connection *c) {
  return &c->peer;
}

void connection_upgrade(struct connection *c, struct websocket *take_websocket) {
  c->exchange = NULL;
  c->websocket = take_websocket;
  connection_step_to(c, STEP_WEBSOCKET);
  connection_wake(c);
}

void connection_wake(struct connection *c) {
  if (!c->processing) c->transport->want_write(c->socket);
}
