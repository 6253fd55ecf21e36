// Who asks: a token, and the user behind it.
//
// A token is good for 24 hours, unless its user is gone or has changed the password since. The users' rows are kept
// for a minute; a change of one is heard by NOTIFY arena_users on every replica at once. One thread.
#pragma once

#include "base/error.h"

#include "auth_token.h"

struct app;
struct auth;
struct auth_check;

struct auth *auth_new(struct app *app);
void auth_start(struct auth *a);  // listens to PostgreSQL
void auth_free(struct auth *a);   // no callback comes after

// What is known of the user is no longer so: for the replica that changes it, which need not wait to hear of it.
void auth_forget(struct auth *a, const char *user_id);

// `e` NULL: that user's token, texts borrowed for the callback. ERR_FORBIDDEN: no good, the text says why (401);
// ERR_UNAVAILABLE, ERR_BUSY, ERR_TIMEOUT: PostgreSQL did not say (503).
typedef void auth_done_fn(void *context, const char *user_id, const char *username, const struct error *e);

// `token` without "Bearer ". `done` comes once: from inside when the answer is known (then NULL comes back), else
// later.
struct auth_check *auth_check(struct auth *a, const char *token, auth_done_fn *done, void *context);
void auth_check_cancel(struct auth_check *check);  // no callback comes after; NULL is fine
