// Results: reading columns, and what SQLSTATEs mean.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

#include "db_private.h"

// ---- rows --------------------------------------------------------------------------------------

static bool is_null(const struct db_rows *r, size_t row, unsigned column) {
  return row >= db_rows_count(r) || (int)column >= PQnfields(r->result) ||
         PQgetisnull(r->result, (int)row, (int)column);
}

size_t db_rows_count(const struct db_rows *r) {
  return (size_t)PQntuples(r->result);
}

const char *db_rows_text(const struct db_rows *r, size_t row, unsigned column) {
  return is_null(r, row, column) ? NULL : PQgetvalue(r->result, (int)row, (int)column);
}

int64_t db_rows_int(const struct db_rows *r, size_t row, unsigned column, int64_t otherwise) {
  const char *text = db_rows_text(r, row, column);
  if (text == NULL || *text == '\0') return otherwise;
  char *end;
  errno = 0;
  long long n = strtoll(text, &end, 10);
  return errno || *end ? otherwise : n;
}

bool db_rows_bool(const struct db_rows *r, size_t row, unsigned column) {
  return text_equal(db_rows_text(r, row, column), "t");
}

size_t db_rows_length(const struct db_rows *r, size_t row, unsigned column) {
  return is_null(r, row, column) ? 0 : (size_t)PQgetlength(r->result, (int)row, (int)column);
}

int64_t db_rows_affected(const struct db_rows *r) {
  return strtoll(PQcmdTuples((PGresult *)r->result), NULL, 10);
}

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return 0;
}

void *db_rows_bytes(const struct db_rows *r, size_t row, unsigned column, size_t *ret_length) {
  const char *text = db_rows_text(r, row, column);  // \x and two digits a byte
  size_t length = db_rows_length(r, row, column);
  size_t count = text && text_starts(text, "\\x") ? (length - 2) / 2 : 0;
  unsigned char *bytes = mem_alloc(count + 1);
  for (size_t i = 0; i < count; i++) bytes[i] = (unsigned char)(digit(text[2 + 2 * i]) << 4 | digit(text[3 + 2 * i]));
  *ret_length = count;
  return bytes;
}

// ---- errors ------------------------------------------------------------------------------------

// SQLSTATEs, or their first letters; the first that fits.
static const struct {
  const char *state;
  enum error_code code;
} states[] = {
    {"23505", ERR_EXISTS},       // unique_violation
    {"23503", ERR_NOT_FOUND},    // foreign_key_violation
    {"23", ERR_INVALID},         // check, not null...
    {"22", ERR_INVALID},         // data exception: no uuid, no number, out of range
    {"P0001", ERR_INVALID},      // RAISE of a function of ours
    {"40", ERR_CONFLICT},        // serialization, deadlock
    {"55P03", ERR_BUSY},         // lock_not_available
    {"57014", ERR_TIMEOUT},      // statement timeout: nobody else cancels
    {"57", ERR_UNAVAILABLE},     // shutdown, starting up
    {"53", ERR_UNAVAILABLE},     // no room: connections, memory, disk
    {"08", ERR_UNAVAILABLE},     // connection
    {"25006", ERR_UNAVAILABLE},  // read only: a standby, after a switch
    {"0A000", ERR_UNAVAILABLE},  // a prepared statement's result changed its type; the next attempt prepares anew
    {"26000", ERR_UNAVAILABLE},  // a prepared statement is gone
    {"54", ERR_TOO_LARGE},
};

static enum error_code code_of(const char *state) {
  for (size_t i = 0; i < array_size(states); i++)
    if (text_starts(state, states[i].state)) return states[i].code;
  return ERR_INTERNAL;
}

static const char *field(const PGresult *result, int which) {
  const char *text = PQresultErrorField(result, which);
  return text ? text : "";
}

enum error_code db_result_to_error(const PGresult *result, const char **ret_constraint, struct error *e) {
  *ret_constraint = "";
  ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) return ERR_NONE;
  if (status != PGRES_FATAL_ERROR)
    return error_set(e, ERR_INTERNAL, "an answer of kind %s, which nobody asked for", PQresStatus(status));
  const char *state = field(result, PG_DIAG_SQLSTATE), *text = field(result, PG_DIAG_MESSAGE_PRIMARY);
  *ret_constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
  // Without a SQLSTATE the words are libpq's own: the connection is gone.
  if (!state[0]) return error_set(e, ERR_UNAVAILABLE, "the connection to PostgreSQL is lost");
  return error_set(e, code_of(state), "%s (SQLSTATE %s)", text, state);
}

bool db_result_spoils(const PGresult *result) {
  static const char *const spoiling[] = {"0A000", "26000", "25006", "57P01", "57P02", "57P03"};
  const char *state = field(result, PG_DIAG_SQLSTATE);
  for (size_t i = 0; i < array_size(spoiling); i++)
    if (text_equal(state, spoiling[i])) return true;
  return false;
}
