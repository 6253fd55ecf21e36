// What fetch, the builder, push and the scanner printed, as text; with ?follow=1 until the submission has ended.
//
// Rows are read a few at a time, the next ones when the client took the last; whoever follows is answered from the same
// rows, by looking again every second.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/str.h"
#include "io/timer.h"

#include "app.h"
#include "handlers.h"
#include "query.h"

enum {
  LOOK_AGAIN_MS = 1000,
  GRACE_MS = 5000,  // the last lines come a little after the verdict
  FOLLOW_MAX_MS = 7200000,
  FOLLOWERS_MAX = 200,  // of this replica
  HEADING_SIZE = 96,
};

// Containers in the order in which they run; a scan comes after all builds.
#define ROW_ORDER \
  "(l.container = 'scan'), l.attempt, array_position(ARRAY['fetch','build','push','scan'], l.container), l.number"

// One row at least: whether it is the user's, whether it has ended; then the pieces behind the last one that was read.
static const struct db_statement PAGE = {
    "build_logs_page",
    "SELECT coalesce(a.owner = $2, false), s.vanished_at IS NOT NULL OR s.status NOT IN ('pending', 'building',"
    " 'scanning'), p.attempt, p.container, p.number, p.text"
    " FROM submissions s LEFT JOIN agents a ON a.id = s.agent_id LEFT JOIN LATERAL"
    " (SELECT l.attempt, l.container, l.number, l.text FROM build_logs l WHERE l.submission_id = s.id AND a.owner = $2"
    "  AND ($4::text = '' OR (" ROW_ORDER
    ") > ($4::text = 'scan', $3::int,"
    "  array_position(ARRAY['fetch','build','push','scan'], $4::text), $5::bigint))"
    "  ORDER BY " ROW_ORDER
    " LIMIT 16) p ON true"
    " WHERE s.id = $1::uuid ORDER BY p.container = 'scan', p.attempt,"
    " array_position(ARRAY['fetch','build','push','scan'], p.container), p.number"};

struct following {
  struct exchange *x;
  struct db_call *query;
  struct timer *again;
  bool follow, started, waiting;
  char attempt[24], container[16], number[24];  // of the last piece
  msec began, ended;                            // ended: when it was seen to be over
};

static unsigned followers;

static struct exchange *following_free(struct following *f) {
  struct exchange *x = f->x;
  db_cancel(f->query);
  timer_free(f->again);
  if (f->follow) followers--;
  free(f);
  return x;
}

static void end(struct following *f) {
  exchange_end(following_free(f));
}

static void read_page(void *context);

static void on_gone(void *context) {
  end(context);
}

static void on_drained(void *context) {
  struct following *f = context;
  f->waiting = false;
  if (!f->query && !timer_is_set(f->again)) read_page(f);
}

static void write_piece(struct following *f, const struct db_rows *rows, size_t row) {
  const char *attempt = db_rows_text(rows, row, 2), *container = db_rows_text(rows, row, 3);
  if (!text_equal(attempt, f->attempt) || !text_equal(container, f->container)) {
    char heading[HEADING_SIZE];
    int length =
        snprintf(heading, sizeof heading, "%s--- %s, attempt %s\n", *f->container ? "\n" : "", container, attempt);
    exchange_write(f->x, heading, (size_t)length);
  }
  snprintf(f->attempt, sizeof f->attempt, "%s", attempt);
  snprintf(f->container, sizeof f->container, "%s", container);
  snprintf(f->number, sizeof f->number, "%s", db_rows_text(rows, row, 4));
  f->waiting = !exchange_write(f->x, db_rows_text(rows, row, 5), db_rows_length(rows, row, 5));
}

static void refuse(struct following *f, const struct db_rows *rows, const struct error *e) {
  query_is_owner(following_free(f), rows, e, "submission");
}

// Whether there is a reason to look again although nothing is there now.
static bool goes_on(struct following *f, bool over) {
  msec now = clock_monotonic();
  if (!f->follow || now - f->began > FOLLOW_MAX_MS) return false;
  if (!over) return true;
  if (!f->ended) f->ended = now;
  return now - f->ended < GRACE_MS;
}

static void on_page(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct following *f = context;
  f->query = NULL;
  bool found = !e && db_rows_count(rows) > 0 && db_rows_bool(rows, 0, 0);
  if (!found && !f->started) {
    refuse(f, rows, e);
    return;
  }
  if (!found) {  // PostgreSQL is away for a moment: look again
    if (e && f->follow)
      timer_set(f->again, LOOK_AGAIN_MS);
    else
      end(f);
    return;
  }
  if (!f->started) {
    f->started = true;
    exchange_start(f->x, 200, "text/plain; charset=utf-8", -1, on_drained, on_gone, f);
  }
  bool any = db_rows_text(rows, 0, 3) != NULL;
  for (size_t i = 0; any && i < db_rows_count(rows); i++) write_piece(f, rows, i);
  if (any && f->waiting) return;  // on_drained goes on
  if (any)
    timer_set(f->again, 0);
  else if (goes_on(f, db_rows_bool(rows, 0, 1)))
    timer_set(f->again, LOOK_AGAIN_MS);
  else
    end(f);
}

static void read_page(void *context) {
  struct following *f = context;
  const struct db_value values[] = {DB_TEXT(exchange_param(f->x, "id")), DB_TEXT(exchange_username(f->x)),
                                    DB_TEXT(*f->attempt ? f->attempt : "0"), DB_TEXT(f->container),
                                    DB_TEXT(*f->number ? f->number : "0")};
  f->query = db_query(exchange_app(f->x)->db, &PAGE, values, array_size(values), on_page, f);
}

void handle_build_logs(struct exchange *x) {
  int64_t follow;
  if (!exchange_query_int(x, "follow", 0, 0, 1, &follow)) return;
  if (follow && followers >= FOLLOWERS_MAX) {
    exchange_add_header(x, "Retry-After", "30");
    exchange_fail(x, 503, "unavailable", "Too many logs are being followed. Try again, or without follow.");
    return;
  }
  struct following *f = mem_alloc(sizeof *f);
  f->x = x;
  f->follow = follow == 1;
  f->began = clock_monotonic();
  if (f->follow) followers++;
  f->again = timer_new(exchange_app(x)->loop, read_page, f);
  read_page(f);
}
