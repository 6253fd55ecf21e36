// LISTEN, on a connection of its own.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

#include "db_private.h"

enum { LISTEN_MS = 10000, CHANNELS_MAX = 4096 };

struct db_listener {
  struct db_connection *connection;
  const char *const *channels;
  db_notify_fn *fn;
  void *context;
  unsigned inside;
  bool dead;
};

// The connection is freed inside its own call and lives on until that returns; so must this.
static void leave(struct db_listener *l) {
  if (--l->inside > 0 || !l->dead) return;
  db_connection_free(l->connection);
  free(l);
}

static void on_up(void *owner, struct db_connection *c) {
  struct db_listener *l = owner;
  struct str script = STR_INIT(CHANNELS_MAX);
  for (unsigned i = 0; l->channels[i]; i++) str_add_format(&script, "LISTEN \"%s\";", l->channels[i]);
  db_connection_script(c, str_text(&script), LISTEN_MS);
  str_done(&script);
}

static void on_down(void *owner, struct db_connection *c, bool was_up, const struct error *e) {
  (void)owner, (void)c;
  if (was_up) log_warn("not listening to PostgreSQL until it answers again", "error", e->text);
}

static void on_answered(void *owner, struct db_connection *c, PGresult *take_result) {
  struct db_listener *l = owner;
  struct error e;
  const char *constraint;
  enum error_code code = db_result_to_error(take_result, &constraint, &e);
  PQclear(take_result);
  if (code != ERR_NONE) {
    db_connection_break(c, &e);
    return;
  }
  l->inside++;
  for (unsigned i = 0; l->channels[i] && !l->dead; i++) l->fn(l->context, l->channels[i], NULL);
  leave(l);
}

static void on_notified(void *owner, struct db_connection *c, const char *channel, const char *payload) {
  (void)c;
  struct db_listener *l = owner;
  l->inside++;
  if (!l->dead) l->fn(l->context, channel, payload);
  leave(l);
}

static const struct db_connection_type listener_type = {
    .up = on_up, .down = on_down, .answered = on_answered, .notified = on_notified};

struct db_listener *db_listen(struct db *d, const char *const *channels, db_notify_fn *fn, void *context) {
  struct db_listener *l = mem_alloc(sizeof(*l));
  l->channels = channels;
  l->fn = fn;
  l->context = context;
  l->connection = db_connection_new(db_loop_of(d), db_target_of(d), &listener_type, l);
  return l;
}

void db_listener_free(struct db_listener *l) {
  if (!l || l->dead) return;
  l->dead = true;
  l->inside++;
  leave(l);
}
