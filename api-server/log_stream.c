#include "log_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "io/timer.h"

#include "log_lines.h"

enum {
  PIECE_BYTES = 8 * 1024,      // is written at once
  COLLECT_MS = 250,            // less waits for more
  WAITING_BYTES = 256 * 1024,  // more is left with the kubelet while PostgreSQL is away
  READ_BYTES = 64 * 1024,      // an HTTP library's largest piece, and more
  IDLE_MS = 10 * 60 * 1000,
  AGAIN_FIRST_MS = 500,
  AGAIN_MOST_MS = 20 * 1000,
  REFUSALS = 6,  // of the log of a container that has ended: it is gone
};

const struct kube_kind LOGGED_POD = {"", "v1", "pods", "Pod", true};

// What is known of the log, and what it ends with.
static const struct db_statement known = {
    "build_log_known",
    "SELECT number, position + octet_length(text), until, until_lines FROM build_logs"
    " WHERE submission_id = $1::uuid AND attempt = $2::int AND container = $3 ORDER BY number DESC LIMIT 1"};
// A piece, unless another writer was first; and what is more than a MiB before its end goes.
static const struct db_statement store = {
    "build_log_store",
    "WITH piece AS (INSERT INTO build_logs (submission_id, attempt, container, number, position, text, until, "
    "until_lines)"
    "  VALUES ($1::uuid, $2::int, $3, $4::bigint, $5::bigint, $6, $7, $8::int) ON CONFLICT DO NOTHING RETURNING 1),"
    " old AS (DELETE FROM build_logs WHERE submission_id = $1::uuid AND attempt = $2::int AND container = $3"
    "  AND position + octet_length(text) <= $5::bigint + octet_length($6) - 1048576)"
    " SELECT count(*) FROM piece"};

enum stage { STAGE_ASKING, STAGE_READING, STAGE_DONE };

struct log_stream {
  struct db *db;
  struct kube_client *kube;
  char *namespace, *pod, *container, *submission_id;
  int attempt;
  bool ended;
  enum stage stage;

  struct kube_call *call;
  struct timer *again;  // the next call, or the next look at what is known
  unsigned failures;
  bool reading_ended;  // the call under way began after the container had ended
  bool complete;       // the log was read to its end after the container had ended

  struct log_lines lines;
  struct str text;  // whole lines that are not on their way
  struct timer *collect;

  struct db_call *query;
  char *piece;  // on its way
  size_t piece_length;
  struct log_place piece_place;
  int64_t number, position;  // of the next piece
  unsigned store_failures;
};

static void ask(struct log_stream *s);
static void read_log(struct log_stream *s);
static void write_piece(struct log_stream *s);

static msec delay_after(unsigned failures) {
  const msec delay = AGAIN_FIRST_MS << (failures < 6 ? failures : 6);
  return delay < AGAIN_MOST_MS ? delay : AGAIN_MOST_MS;
}

static void read_again(struct log_stream *s, msec delay) {
  if (s->stage != STAGE_DONE) timer_set(s->again, delay);
}

static bool is_full(const struct log_stream *s) {
  return s->text.length + s->piece_length >= WAITING_BYTES;
}

// ---- storing -------------------------------------------------------------------------------------

// With the last byte of a log that is over, everything is done.
static void finish_if_done(struct log_stream *s) {
  if (!s->complete || s->text.length > 0 || s->piece != NULL) return;
  s->stage = STAGE_DONE;
  timer_clear(s->again);
}

static void on_stored(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct log_stream *s = context;
  s->query = NULL;
  if (e != NULL) {
    if (s->store_failures++ == 0)
      log_warn("a build log cannot be stored, trying again", "pod", s->pod, "container", s->container, "error",
               e->text);
    timer_set(s->collect, delay_after(s->store_failures));
    return;
  }
  s->store_failures = 0;
  if (db_rows_int(rows, 0, 0, 0) == 0) {  // another writer is further
    kube_call_cancel(s->call);
    s->call = NULL;
    s->complete = false;
    ask(s);
    return;
  }
  s->number++;
  s->position += (int64_t)s->piece_length;
  mem_replace(&s->piece, NULL);
  s->piece_length = 0;
  if (s->text.length >= PIECE_BYTES || s->complete)
    write_piece(s);
  else if (s->text.length > 0)
    timer_set(s->collect, COLLECT_MS);
  if (s->call == NULL && !s->complete && !timer_is_set(s->again)) read_again(s, 0);  // it was cut because it was full
  finish_if_done(s);
}

static void send_piece(struct log_stream *s) {
  char attempt[16], number[24], position[24], lines[16];
  snprintf(attempt, sizeof attempt, "%d", s->attempt);
  snprintf(number, sizeof number, "%" PRId64, s->number);
  snprintf(position, sizeof position, "%" PRId64, s->position);
  snprintf(lines, sizeof lines, "%u", s->piece_place.lines);
  const struct db_value values[] = {
      DB_TEXT(s->submission_id), DB_TEXT(attempt),  DB_TEXT(s->container),        DB_TEXT(number),
      DB_TEXT(position),         DB_TEXT(s->piece), DB_TEXT(s->piece_place.time), DB_TEXT(lines)};
  s->query = db_query(s->db, &store, values, array_size(values), on_stored, s);
}

// All that waits, or what failed before, as it was.
static void write_piece(struct log_stream *s) {
  if (s->query != NULL) return;
  timer_clear(s->collect);
  if (s->piece == NULL) {
    if (s->text.length == 0) return;
    s->piece_length = s->text.length;
    s->piece = str_take(&s->text);
    s->text = STR_INIT(WAITING_BYTES + READ_BYTES * 4);
    s->piece_place = s->lines.place;
  }
  send_piece(s);
}

static void on_collect(void *context) {
  write_piece(context);
}

// ---- reading -------------------------------------------------------------------------------------

static bool on_bytes(void *context, const char *bytes, size_t length) {
  struct log_stream *s = context;
  log_lines_push(&s->lines, bytes, length, &s->text);
  s->failures = 0;
  if (s->text.length >= PIECE_BYTES && s->store_failures == 0)
    write_piece(s);
  else if (s->text.length > 0 && !timer_is_set(s->collect) && s->query == NULL)
    timer_set(s->collect, COLLECT_MS);
  return !is_full(s);
}

static void on_end(void *context, const struct kube_answer *answer, const struct error *e) {
  (void)answer;
  struct log_stream *s = context;
  const bool was_ended = s->reading_ended;
  s->call = NULL;
  if (e != NULL && e->code == ERR_CANCELLED && is_full(s)) return;  // goes on when something is stored
  if (e == NULL && was_ended) {
    log_lines_end(&s->lines, &s->text);
    s->complete = true;
    write_piece(s);
    finish_if_done(s);
    return;
  }
  if (e == NULL) {  // the container has ended, which will be told soon; or the kubelet has stopped
    read_again(s, AGAIN_FIRST_MS);
    return;
  }
  s->failures++;
  const bool refused = !error_is_transient(e->code);
  if (refused && s->ended && s->failures >= REFUSALS) {
    log_warn("a build log is gone", "pod", s->pod, "container", s->container, "error", e->text);
    s->complete = true;
    write_piece(s);
    finish_if_done(s);
    return;
  }
  log_debug("a build log breaks off, reading on", "pod", s->pod, "container", s->container, "error", e->text);
  read_again(s, delay_after(s->failures));
}

static void read_log(struct log_stream *s) {
  cleanup_str struct str query = STR_INIT(1024);
  kube_query_add(&query, "container", s->container);
  kube_query_add(&query, "timestamps", "true");
  if (!s->ended) kube_query_add(&query, "follow", "true");
  if (s->lines.place.time[0] != '\0') kube_query_add(&query, "sinceTime", s->lines.place.time);
  log_lines_begin(&s->lines);
  s->reading_ended = s->ended;
  const struct kube_request r = {
      .method = "GET",
      .kind = &LOGGED_POD,
      .namespace = s->namespace,
      .name = s->pod,
      .subresource = "log",
      .query = str_text(&query),
      .text_answer = true,
      .timeout = -1,
      .idle_timeout = IDLE_MS,
      .data = on_bytes,
  };
  s->call = kube_call_start(s->kube, &r, on_end, s);
}

// ---- what is known -------------------------------------------------------------------------------

static void on_known(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct log_stream *s = context;
  s->query = NULL;
  if (e != NULL) {
    timer_set(s->again, delay_after(++s->failures));
    return;
  }
  s->failures = 0;
  struct log_place place = {0};
  s->number = s->position = 0;
  if (db_rows_count(rows) > 0) {
    s->number = db_rows_int(rows, 0, 0, 0) + 1;
    s->position = db_rows_int(rows, 0, 1, 0);
    snprintf(place.time, sizeof place.time, "%s", db_rows_text(rows, 0, 2));
    place.lines = (unsigned)db_rows_int(rows, 0, 3, 0);
  }
  log_lines_done(&s->lines);
  log_lines_init(&s->lines, &place);
  s->stage = STAGE_READING;
  read_log(s);
}

static void ask(struct log_stream *s) {
  s->stage = STAGE_ASKING;
  mem_replace(&s->piece, NULL);
  s->piece_length = 0;
  str_clear(&s->text);
  timer_clear(s->collect);
  char attempt[16];
  snprintf(attempt, sizeof attempt, "%d", s->attempt);
  const struct db_value values[] = {DB_TEXT(s->submission_id), DB_TEXT(attempt), DB_TEXT(s->container)};
  s->query = db_query(s->db, &known, values, array_size(values), on_known, s);
}

static void on_again(void *context) {
  struct log_stream *s = context;
  if (s->stage == STAGE_ASKING)
    ask(s);
  else if (s->call == NULL && !is_full(s))
    read_log(s);
}

// ---- life ----------------------------------------------------------------------------------------

struct log_stream *log_stream_new(uv_loop_t *loop, struct db *db, struct kube_client *kube,
                                  const struct log_source *from, bool ended) {
  struct log_stream *s = mem_alloc(sizeof *s);
  s->db = db;
  s->kube = kube;
  s->namespace = mem_strdup(from->namespace);
  s->pod = mem_strdup(from->pod);
  s->container = mem_strdup(from->container);
  s->submission_id = mem_strdup(from->submission_id);
  s->attempt = from->attempt;
  s->ended = ended;
  s->text = STR_INIT(WAITING_BYTES + READ_BYTES * 4);
  s->again = timer_new(loop, on_again, s);
  s->collect = timer_new(loop, on_collect, s);
  ask(s);
  return s;
}

void log_stream_ended(struct log_stream *s) {
  s->ended = true;  // the call under way ends by itself; the next one reads what is missing
}

bool log_stream_is_done(const struct log_stream *s) {
  return s->stage == STAGE_DONE;
}

void log_stream_free(struct log_stream *s) {
  if (s == NULL) return;
  kube_call_cancel(s->call);
  db_cancel(s->query);
  timer_free(s->again);
  timer_free(s->collect);
  log_lines_done(&s->lines);
  str_done(&s->text);
  free(s->piece);
  free(s->namespace);
  free(s->pod);
  free(s->container);
  free(s->submission_id);
  free(s);
}
