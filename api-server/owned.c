#include "owned.h"

#include "base/memory.h"
#include "base/str.h"
#include "io/db.h"

#include "app.h"
#include "query.h"

static const struct db_statement FIND = {
    "owned_agent",
    "SELECT id, object_name, owner, environment, display_name, queue_state, queue_reason, "
    "active_submission IS NOT NULL, enabled, suspended FROM agents WHERE id = $1::uuid AND vanished_at IS NULL"};

struct asking {
  struct exchange *exchange;
  owned_agent_fn *fn;
};

static void found(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  const struct asking asking = *(struct asking *)context;
  struct exchange *x = asking.exchange;
  free(context);
  if (e != NULL) {
    query_fail(x, e);
    return;
  }
  if (db_rows_count(rows) == 0) {
    exchange_fail(x, 404, "not_found", "There is no such agent.");
    return;
  }
  const struct owned_agent a = {
      .id = db_rows_text(rows, 0, 0),
      .object_name = db_rows_text(rows, 0, 1),
      .owner = db_rows_text(rows, 0, 2),
      .environment = db_rows_text(rows, 0, 3),
      .display_name = db_rows_text(rows, 0, 4),
      .queue_state = db_rows_text(rows, 0, 5),
      .queue_reason = db_rows_text(rows, 0, 6),
      .has_active = db_rows_bool(rows, 0, 7),
      .enabled = db_rows_bool(rows, 0, 8),
      .suspended = db_rows_bool(rows, 0, 9),
  };
  if (text_equal(a.owner, exchange_username(x)))
    asking.fn(x, &a);
  else
    exchange_fail(x, 403, "forbidden", "Agent %s belongs to %s, not to you.", a.display_name, a.owner);
}

void owned_agent(struct exchange *x, const char *id, owned_agent_fn *fn) {
  struct asking *asking = mem_alloc(sizeof *asking);
  *asking = (struct asking){.exchange = x, .fn = fn};
  const struct db_value values[] = {DB_TEXT(id)};
  db_query(exchange_app(x)->db, &FIND, values, 1, found, asking);
}
