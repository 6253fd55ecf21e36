// One connection to PostgreSQL that makes itself again: names looked up off the loop, libpq never waiting.
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"

#include "db_private.h"

enum { CONNECT_MS = 10000, BACKOFF_MS = 100, BACKOFF_MAX_MS = 3000, NAMES_MAX = 16 };

enum state {
  WAITING,     // for the next attempt; the timer says when
  RESOLVING,   // host `host` of the target
  CONNECTING,  // PQconnectPoll
  FREE,
  BUSY,  // something was sent
};

struct db_connection {
  uv_loop_t *loop;
  const struct db_target *target;
  const struct db_connection_type *type;
  void *owner;
  enum state state;
  unsigned failures;  // running
  bool was_up;
  PGconn *pg;
  uv_poll_t *poll;
  int watched;          // its events
  struct timer *timer;  // the end of whatever the state waits for
  struct resolving *resolving;
  unsigned host;
  struct db_addresses addresses;
  struct map *prepared;                  // names of statements
  const struct db_statement *preparing;  // under way
  PGresult *result;                      // of what is under way: the first error, else the last
  struct cancelling *cancelling;
  bool broken;  // `problem` says why; told at the loop's next turn
  struct error problem;
  unsigned inside;  // calls to the owner that have not returned
  bool dead;        // freed meanwhile
};

// Both outlive the connection when it is freed while a thread has them: `c` is NULL then.
struct resolving {
  uv_getaddrinfo_t request;
  struct db_connection *c;
};
struct cancelling {
  uv_work_t request;
  PGcancel *cancel;
  struct db_connection *c;
};

static void attempt(struct db_connection *c);
static void watch(struct db_connection *c, int events);

// ---- the end of an attempt, or of a connection -------------------------------------------------

static void on_closed(uv_handle_t *handle) {
  free(handle);
}

static void unwatch(struct db_connection *c) {
  if (!c->poll) return;
  c->poll->data = NULL;
  uv_close((uv_handle_t *)c->poll, on_closed);
  c->poll = NULL;
}

// Before libpq closes its socket, the loop must have let go of it.
static void hang_up(struct db_connection *c) {
  unwatch(c);
  if (c->pg) PQfinish(c->pg);
  c->pg = NULL;
  if (c->result) PQclear(c->result);
  c->result = NULL;
  c->preparing = NULL;
  map_free(c->prepared);
  c->prepared = NULL;
  db_addresses_done(&c->addresses);
  if (c->resolving) {
    c->resolving->c = NULL;
    uv_cancel((uv_req_t *)&c->resolving->request);
    c->resolving = NULL;
  }
}

static void destroy(struct db_connection *c) {
  hang_up(c);
  timer_free(c->timer);
  if (c->cancelling) c->cancelling->c = NULL;
  free(c);
}

// Around each call to the owner.
static void enter(struct db_connection *c) {
  c->inside++;
}

// False when that was the end of it.
static bool leave(struct db_connection *c) {
  if (--c->inside > 0) return true;
  if (!c->dead) return true;
  destroy(c);
  return false;
}

static msec backoff(const struct db_connection *c) {
  msec full = BACKOFF_MS;
  for (unsigned i = 1; i < c->failures && full < BACKOFF_MAX_MS; i++) full *= 2;
  if (full > BACKOFF_MAX_MS) full = BACKOFF_MAX_MS;
  return full / 2 + (msec)(uv_hrtime() / 1000 % (uint64_t)(full / 2 + 1));
}

// Last thing done: the owner may free the connection.
static void lost(struct db_connection *c, const struct error *e) {
  struct error why = *e;
  bool was_up = c->was_up;
  hang_up(c);
  c->state = WAITING;
  c->was_up = c->broken = false;
  c->failures++;
  timer_set(c->timer, backoff(c));
  enter(c);
  c->type->down(c->owner, c, was_up, &why);
  leave(c);
}

// libpq's words end in a new line, and may be several lines: one for each address.
static void lost_by_libpq(struct db_connection *c, const char *what) {
  struct error e;
  const char *text = c->pg ? PQerrorMessage(c->pg) : "";
  error_set(&e, ERR_UNAVAILABLE, "%s: %s", what, text);
  for (char *p = e.text; *p; p++)
    if (*p == '\n' || *p == '\t') *p = p[1] ? ' ' : '\0';
  lost(c, &e);
}

// ---- connecting --------------------------------------------------------------------------------

static void up(struct db_connection *c) {
  PQsetnonblocking(c->pg, 1);
  c->prepared = map_new(NULL);
  c->state = FREE;
  c->was_up = true;
  c->failures = 0;
  timer_clear(c->timer);
  watch(c, UV_READABLE);
  enter(c);
  c->type->up(c->owner, c);
  leave(c);
}

// libpq may have closed its socket and opened another of the same number, which the loop would not notice: it is
// watched anew after each step.
static void connect_on(struct db_connection *c, PostgresPollingStatusType wanted) {
  switch (wanted) {
    case PGRES_POLLING_OK: up(c); return;
    case PGRES_POLLING_READING: watch(c, UV_READABLE); return;
    case PGRES_POLLING_WRITING: watch(c, UV_WRITABLE); return;
    case PGRES_POLLING_ACTIVE:
    case PGRES_POLLING_FAILED: break;
  }
  lost_by_libpq(c, "no connection");
}

static void on_notice(void *context, const char *message) {
  (void)context;
  log_debug("PostgreSQL says", "notice", message);
}

static void start_connecting(struct db_connection *c) {
  c->state = CONNECTING;
  c->pg = db_target_connect(c->target, &c->addresses);
  if (PQstatus(c->pg) == CONNECTION_BAD || PQsocket(c->pg) < 0) {
    lost_by_libpq(c, "no connection");
    return;
  }
  PQsetNoticeProcessor(c->pg, on_notice, NULL);
  watch(c, UV_WRITABLE);
}

// ---- names -------------------------------------------------------------------------------------

static void resolve_next(struct db_connection *c);

static void take_addresses(struct db_connection *c, const struct addrinfo *all) {
  char text[NI_MAXHOST];
  unsigned taken = 0;
  for (const struct addrinfo *a = all; a && taken < NAMES_MAX; a = a->ai_next, taken++) {
    if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) != 0) continue;
    db_addresses_add(&c->addresses, c->target->hosts[c->host], text, c->target->ports[c->host]);
  }
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *all) {
  struct resolving *r = request->data;
  struct db_connection *c = r->c;
  free(r);
  if (c) {
    c->resolving = NULL;
    if (status == 0)
      take_addresses(c, all);
    else
      error_set(&c->problem, ERR_UNAVAILABLE, "%s cannot be looked up: %s", c->target->hosts[c->host],
                uv_strerror(status));
    c->host++;
    resolve_next(c);
  }
  uv_freeaddrinfo(all);
}

static void resolve_next(struct db_connection *c) {
  const struct db_target *t = c->target;
  for (; c->host < t->host_count; c->host++) {
    if (db_target_is_name(t, c->host)) break;
    const char *host = t->hosts[c->host], *address = t->addresses[c->host];
    bool number = text_empty(address) && !text_empty(host) && host[0] != '/' && host[0] != '@';
    db_addresses_add(&c->addresses, host, number ? host : address, t->ports[c->host]);
  }
  if (c->host == t->host_count) {
    if (c->addresses.count > 0 || t->host_count == 0)
      start_connecting(c);
    else
      lost(c, &c->problem);
    return;
  }
  c->resolving = mem_alloc(sizeof(*c->resolving));
  c->resolving->c = c;
  c->resolving->request.data = c->resolving;
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
  int problem = uv_getaddrinfo(c->loop, &c->resolving->request, on_resolved, t->hosts[c->host], NULL, &hints);
  if (problem == 0) return;
  free(c->resolving);
  c->resolving = NULL;
  error_set(&c->problem, ERR_UNAVAILABLE, "%s cannot be looked up: %s", t->hosts[c->host], uv_strerror(problem));
  lost(c, &c->problem);
}

static void attempt(struct db_connection *c) {
  c->state = RESOLVING;
  c->host = 0;
  db_addresses_init(&c->addresses);
  error_set(&c->problem, ERR_UNAVAILABLE, "no address");
  timer_set(c->timer, CONNECT_MS);
  resolve_next(c);
}

// ---- what arrives ------------------------------------------------------------------------------

static bool is_good(const PGresult *r) {
  ExecStatusType status = PQresultStatus(r);
  return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY;
}

// The first error, else the last result.
static void keep(struct db_connection *c, PGresult *new) {
  if (c->result && !is_good(c->result)) {
    PQclear(new);
    return;
  }
  if (c->result) PQclear(c->result);
  c->result = new;
}

static bool is_copy(const PGresult *r) {
  ExecStatusType status = PQresultStatus(r);
  return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

// Last thing done.
static void answered(struct db_connection *c) {
  PGresult *result = mem_must(c->result);
  c->result = NULL;
  c->state = FREE;
  timer_clear(c->timer);
  if (c->preparing && PQresultStatus(result) == PGRES_COMMAND_OK)
    map_put(c->prepared, c->preparing->name, (void *)c->preparing);
  c->preparing = NULL;
  if (PQtransactionStatus(c->pg) != PQTRANS_IDLE) {
    struct error e;
    error_set(&e, ERR_INTERNAL, "a statement left a transaction open");
    db_connection_break(c, &e);
  }
  enter(c);
  c->type->answered(c->owner, c, result);
  leave(c);
}

// False when the connection did not live through it.
static bool tell_notifications(struct db_connection *c) {
  PGnotify *n;
  enter(c);
  while (!c->dead && c->pg && (n = PQnotifies(c->pg)) != NULL) {
    if (c->type->notified) c->type->notified(c->owner, c, n->relname, n->extra);
    PQfreemem(n);
  }
  return leave(c) && !c->dead && c->pg;
}

static void read_all(struct db_connection *c) {
  int more = PQflush(c->pg);
  if (more >= 0 && !PQconsumeInput(c->pg)) more = -1;
  if (more < 0) {
    lost_by_libpq(c, "the connection is lost");
    return;
  }
  watch(c, more ? UV_READABLE | UV_WRITABLE : UV_READABLE);
  if (!tell_notifications(c)) return;
  while (!PQisBusy(c->pg)) {
    PGresult *result = PQgetResult(c->pg);
    if (result) {
      bool endless = is_copy(result);  // it would come again and again
      keep(c, result);
      if (!endless) continue;
      lost_by_libpq(c, "COPY is not spoken here");
      return;
    }
    if (PQstatus(c->pg) == CONNECTION_BAD) {
      lost_by_libpq(c, "the connection is lost");
    } else if (c->state == BUSY && c->result) {
      answered(c);
    }
    return;
  }
}

static void on_ready(uv_poll_t *handle, int status, int events) {
  (void)events;
  struct db_connection *c = handle->data;
  if (!c) return;
  if (status < 0) c->watched = 0;  // the loop has stopped watching; what is wrong shows when libpq reads
  if (c->state != CONNECTING) {
    read_all(c);
    return;
  }
  unwatch(c);
  connect_on(c, PQconnectPoll(c->pg));
}

static void watch(struct db_connection *c, int events) {
  if (!c->poll) {
    c->poll = mem_alloc(sizeof(*c->poll));
    int problem = uv_poll_init(c->loop, c->poll, PQsocket(c->pg));
    if (problem) {
      log_error("a socket cannot be polled", "error", uv_strerror(problem));
      abort();
    }
    c->poll->data = c;
    c->watched = 0;
  }
  if (events != c->watched) uv_poll_start(c->poll, events, on_ready);
  c->watched = events;
}

static void on_timer(void *context) {
  struct db_connection *c = context;
  struct error e;
  if (c->broken) {
    lost(c, &c->problem);
    return;
  }
  switch (c->state) {
    case WAITING: attempt(c); return;
    case FREE: return;
    case RESOLVING:
    case CONNECTING: error_set(&e, ERR_UNAVAILABLE, "no connection within %d s", CONNECT_MS / 1000); break;
    case BUSY: error_set(&e, ERR_UNAVAILABLE, "the server does not answer any more"); break;
  }
  lost(c, &e);
}

// ---- what the owner asks -----------------------------------------------------------------------

struct db_connection *db_connection_new(uv_loop_t *loop, const struct db_target *target,
                                        const struct db_connection_type *type, void *owner) {
  struct db_connection *c = mem_alloc(sizeof(*c));
  c->loop = loop;
  c->target = target;
  c->type = type;
  c->owner = owner;
  c->timer = timer_new(loop, on_timer, c);
  timer_set(c->timer, 0);
  return c;
}

void db_connection_free(struct db_connection *c) {
  if (!c) return;
  c->dead = true;
  if (c->inside == 0) destroy(c);
}

void db_connection_hurry(struct db_connection *c) {
  if (c->state == WAITING && !c->dead) timer_set(c->timer, 0);
}

bool db_connection_is_free(const struct db_connection *c) {
  return c->state == FREE && !c->broken && !c->dead && !c->cancelling;
}

bool db_connection_is_up(const struct db_connection *c) {
  return c->was_up && !c->broken;
}

void db_connection_break(struct db_connection *c, const struct error *e) {
  if (c->broken || !c->was_up) return;
  c->broken = true;
  c->problem = *e;
  timer_set(c->timer, 0);
}

static void sent(struct db_connection *c, int accepted, msec limit) {
  c->state = BUSY;
  int more = accepted ? PQflush(c->pg) : -1;
  if (more < 0) {
    struct error e;
    error_set(&e, ERR_UNAVAILABLE, "the connection to PostgreSQL is lost");
    db_connection_break(c, &e);
    return;
  }
  watch(c, more ? UV_READABLE | UV_WRITABLE : UV_READABLE);
  if (limit > 0)
    timer_set(c->timer, limit);
  else
    timer_clear(c->timer);
}

void db_connection_script(struct db_connection *c, const char *sql, msec limit) {
  sent(c, PQsendQuery(c->pg, sql), limit);
}

bool db_connection_has(const struct db_connection *c, const struct db_statement *s) {
  return map_get(c->prepared, s->name) != NULL;
}

void db_connection_prepare(struct db_connection *c, const struct db_statement *s, msec limit) {
  c->preparing = s;
  sent(c, PQsendPrepare(c->pg, s->name, s->sql, 0, NULL), limit);
}

void db_connection_execute(struct db_connection *c, const struct db_statement *s, const char *const *values,
                           const int *lengths, const int *formats, unsigned count, msec limit) {
  sent(c, PQsendQueryPrepared(c->pg, s->name, (int)count, values, lengths, formats, 0), limit);
}

// ---- ending what runs --------------------------------------------------------------------------

// On a thread: it connects, and waits for the server's receipt. When it fails, the statement's own limit ends it.
static void send_cancel(uv_work_t *request) {
  struct cancelling *k = request->data;
  char problem[256];
  PQcancel(k->cancel, problem, sizeof(problem));
}

static void on_cancel_sent(uv_work_t *request, int status) {
  (void)status;
  struct cancelling *k = request->data;
  struct db_connection *c = k->c;
  PQfreeCancel(k->cancel);
  free(k);
  if (!c) return;
  c->cancelling = NULL;
  if (!db_connection_is_free(c)) return;  // the answer is still to come
  enter(c);
  c->type->up(c->owner, c);
  leave(c);
}

void db_connection_cancel(struct db_connection *c) {
  if (c->cancelling || !c->pg) return;
  PGcancel *cancel = PQgetCancel(c->pg);
  if (!cancel) return;
  struct cancelling *k = mem_alloc(sizeof(*k));
  *k = (struct cancelling){.cancel = cancel, .c = c};
  k->request.data = k;
  if (uv_queue_work(c->loop, &k->request, send_cancel, on_cancel_sent) == 0) {
    c->cancelling = k;
    return;
  }
  PQfreeCancel(cancel);
  free(k);
}
