// What the parts of io/db share. A connection keeps itself alive; a pool (db.c) or a listener (db_listen.c) owns it and
// is told what happens to it.
#pragma once

#include <libpq-fe.h>

#include "io/db.h"
#include "io/timer.h"

// ---- where PostgreSQL is (db_target.c) ----------------------------------------------------------

enum { TARGET_HOSTS_MAX = 8, TARGET_KEYS_MAX = 64 };

struct db_target {
  char *keys[TARGET_KEYS_MAX], *values[TARGET_KEYS_MAX];  // all but host, hostaddr and port
  unsigned count;
  char *hosts[TARGET_HOSTS_MAX], *addresses[TARGET_HOSTS_MAX], *ports[TARGET_HOSTS_MAX];
  unsigned host_count;  // 0: libpq's default, a local socket
};
enum error_code db_target_parse(const struct db_options *o, struct db_target *ret, struct error *e);
void db_target_done(struct db_target *t);
// Whether host `i` has to be looked up: it is no number, no socket, and has no hostaddr.
bool db_target_is_name(const struct db_target *t, unsigned i);
// Lists that grow with each address found, as libpq wants them: all of one length.
struct db_addresses {
  struct str hosts, addresses, ports;
  unsigned count;
};
void db_addresses_init(struct db_addresses *a);
void db_addresses_done(struct db_addresses *a);
void db_addresses_add(struct db_addresses *a, const char *host, const char *address, const char *port);
// Begins to connect; libpq resolves nothing any more.
PGconn *db_target_connect(const struct db_target *t, const struct db_addresses *a);

// ---- one connection (db_connection.c) -----------------------------------------------------------

struct db_connection;

// Each call comes from the loop and is the last thing a connection does there: it may be freed inside.
struct db_connection_type {
  void (*up)(void *owner, struct db_connection *c);
  // It broke, or could not be made; it is made again by itself. `was_up` false: another attempt failed.
  void (*down)(void *owner, struct db_connection *c, bool was_up, const struct error *e);
  // What was sent is answered: the first error, else the last result. Consumed.
  void (*answered)(void *owner, struct db_connection *c, PGresult *take_result);
  void (*notified)(void *owner, struct db_connection *c, const char *channel, const char *payload);  // may be NULL
};

struct db_connection *db_connection_new(uv_loop_t *loop, const struct db_target *target,
                                        const struct db_connection_type *type, void *owner);
void db_connection_free(struct db_connection *c);
void db_connection_hurry(struct db_connection *c);          // PostgreSQL answers others: no need to wait any longer
bool db_connection_is_free(const struct db_connection *c);  // up, and nothing is under way
bool db_connection_is_up(const struct db_connection *c);
// Breaks at the loop's next turn. `e`: why.
void db_connection_break(struct db_connection *c, const struct error *e);

// Sends; a failure shows later, as `down`. `limit`: after so long the server counts as lost; 0: never.
void db_connection_script(struct db_connection *c, const char *sql, msec limit);
void db_connection_prepare(struct db_connection *c, const struct db_statement *s, msec limit);
bool db_connection_has(const struct db_connection *c, const struct db_statement *s);  // prepared already
void db_connection_execute(struct db_connection *c, const struct db_statement *s, const char *const *values,
                           const int *lengths, const int *formats, unsigned count, msec limit);
// Asks the server to end what it runs. The connection is not free before the answer and the server's receipt are here.
void db_connection_cancel(struct db_connection *c);

// ---- results (db_rows.c) ------------------------------------------------------------------------

struct db_rows {
  const PGresult *result;
};
// ERR_NONE when it is no error. `ret_constraint`: the violated constraint's name, "" otherwise; lives as long as
// result.
enum error_code db_result_to_error(const PGresult *result, const char **ret_constraint, struct error *e);
// The session is of no use any more (a changed schema, a lost prepared statement, a server that only reads).
bool db_result_spoils(const PGresult *result);

// ---- the pool -----------------------------------------------------------------------------------

const struct db_target *db_target_of(const struct db *d);
uv_loop_t *db_loop_of(const struct db *d);
