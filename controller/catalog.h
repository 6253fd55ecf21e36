// Which environments the executor can play, asked again and again, so that a queue for one that it
// does not know says so instead of making matches that can only fail.
//
// Until the first answer nothing is known and nothing is held back; an executor that is away later
// does not take back what it said.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "io/http.h"

struct catalog;
enum catalog_answer { CATALOG_UNASKED, CATALOG_KNOWN, CATALOG_UNKNOWN };

// The list of environments changed.
typedef void catalog_change_fn(void *context);

struct catalog *catalog_new(uv_loop_t *loop, struct http *http, const char *url, catalog_change_fn *change,
                            void *context);
void catalog_start(struct catalog *c);  // asks now, then every minute
void catalog_free(struct catalog *c);
enum catalog_answer catalog_look(const struct catalog *c, const char *environment);
// Takes over an answer; calls `change` when it differs from the last one.
void catalog_learn(struct catalog *c, const char *const *environments, size_t count);
