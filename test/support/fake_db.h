// A PostgreSQL that the test plays: it takes the place of lib/io/db.c and api-server/store.c in a program that links
// this first. Questions wait in order until the test answers them.
#pragma once

#include "base/error.h"
#include "io/db.h"

#include "store.h"

enum { FAKE_VALUES = 12 };

struct fake_question {
  const char *name;           // of the statement; "put" and "vanish" for the store
  char *values[FAKE_VALUES];  // texts; of the store: rows or uids
  size_t count;
  void *done, *context;
  bool is_store;
  struct fake_question *next;
};

struct db *fake_db_new(void);
void fake_db_free(struct db *d);  // fails when a question still waits

// The oldest question; NULL: none waits.
const struct fake_question *fake_question(struct db *d);
size_t fake_questions(const struct db *d);
// Answers the oldest. `cells`: rows * columns texts, NULL for SQL's NULL.
void fake_answer(struct db *d, size_t rows, unsigned columns, const char *const *cells);
void fake_fail(struct db *d, enum error_code code);
// As the listener: payload NULL, it listens (again).
void fake_notify(struct db *d, const char *channel, const char *payload);
