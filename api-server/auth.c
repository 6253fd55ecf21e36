#include "auth.h"

#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"
#include "io/db.h"

#include "app.h"
#include "settings.h"

enum { USERS_MAX = 10000, KEPT_MS = 60 * 1000 };

// What PostgreSQL said about a user.
struct known_user {
  char username[USERNAME_SIZE];
  int64_t tokens_after;  // seconds
  msec asked;            // monotonic
};

struct auth {
  struct app *app;
  struct map *users;  // id -> known_user
  uint64_t changes;   // heard so far: an answer that was asked for before one of them is not kept
  struct db_listener *listener;
  struct auth_check *checks;  // that wait for PostgreSQL
};

struct auth_check {
  struct auth *auth;
  struct auth_check *previous, *next;
  struct db_call *call;
  struct token_claims claims;
  uint64_t changes;
  auth_done_fn *done;
  void *context;
};

static const struct db_statement FIND_USER = {
    "auth_find_user",
    "SELECT username, floor(extract(epoch FROM tokens_after))::bigint FROM users WHERE id = $1::uuid"};

struct auth *auth_new(struct app *app) {
  struct auth *a = mem_alloc(sizeof *a);
  a->app = app;
  a->users = map_new(free);
  return a;
}

static void forget_all(struct auth *a) {
  map_free(a->users);
  a->users = map_new(free);
}

void auth_forget(struct auth *a, const char *user_id) {
  a->changes++;
  map_remove(a->users, user_id);
}

// Payload: the user's id; none: anything may have changed while nobody listened.
static void user_changed(void *context, const char *channel, const char *payload) {
  (void)channel;
  struct auth *a = context;
  if (payload != NULL) {
    auth_forget(a, payload);
    return;
  }
  a->changes++;
  forget_all(a);
}

void auth_start(struct auth *a) {
  static const char *const channels[] = {"arena_users", NULL};
  a->listener = db_listen(a->app->db, channels, user_changed, a);
}

static void check_free(struct auth_check *check) {
  *(check->previous != NULL ? &check->previous->next : &check->auth->checks) = check->next;
  if (check->next != NULL) check->next->previous = check->previous;
  free(check);
}

void auth_check_cancel(struct auth_check *check) {
  if (check == NULL) return;
  db_cancel(check->call);
  check_free(check);
}

void auth_free(struct auth *a) {
  if (a == NULL) return;
  while (a->checks != NULL) auth_check_cancel(a->checks);
  db_listener_free(a->listener);
  map_free(a->users);
  free(a);
}

// ---- deciding ----------------------------------------------------------------------------------

static void decide(const struct token_claims *claims, const struct known_user *user, auth_done_fn *done,
                   void *context) {
  struct error e = {0};
  if (user == NULL)
    error_set(&e, ERR_FORBIDDEN, "The token's user does not exist. Sign in again.");
  else if (claims->issued < user->tokens_after)
    error_set(&e, ERR_FORBIDDEN, "The password was changed after this token was given. Sign in again.");
  if (e.code != ERR_NONE)
    done(context, NULL, NULL, &e);
  else
    done(context, claims->user_id, user->username, NULL);
}

static void keep(struct auth *a, const char *user_id, const struct known_user *user) {
  if (map_count(a->users) >= USERS_MAX) forget_all(a);
  struct known_user *copy = mem_alloc(sizeof *copy);
  *copy = *user;
  map_put(a->users, user_id, copy);
}

static void user_found(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct auth_check *check = context;
  struct auth *a = check->auth;
  const struct auth_check c = *check;
  check_free(check);
  if (e != NULL && e->code == ERR_INVALID) {  // no UUID, though signed by us
    decide(&c.claims, NULL, c.done, c.context);
  } else if (e != NULL) {
    c.done(c.context, NULL, NULL, e);
  } else if (db_rows_count(rows) == 0) {
    decide(&c.claims, NULL, c.done, c.context);
  } else {
    struct known_user user = {.tokens_after = db_rows_int(rows, 0, 1, INT64_MAX), .asked = clock_monotonic()};
    const char *name = db_rows_text(rows, 0, 0);
    memcpy(user.username, name, strnlen(name, sizeof user.username - 1));
    if (c.changes == a->changes) keep(a, c.claims.user_id, &user);
    decide(&c.claims, &user, c.done, c.context);
  }
}

struct auth_check *auth_check(struct auth *a, const char *token, auth_done_fn *done, void *context) {
  struct error e = {0};
  struct token_claims claims;
  if (token_read(token, a->app->settings->jwt_secret, clock_now() / 1000, &claims, &e) != ERR_NONE) {
    done(context, NULL, NULL, &e);
    return NULL;
  }
  const struct known_user *known = map_get(a->users, claims.user_id);
  if (known != NULL && clock_monotonic() - known->asked < KEPT_MS) {
    const struct known_user user = *known;  // `done` may change the map
    decide(&claims, &user, done, context);
    return NULL;
  }
  struct auth_check *check = mem_alloc(sizeof *check);
  *check = (struct auth_check){
      .auth = a, .next = a->checks, .claims = claims, .changes = a->changes, .done = done, .context = context};
  if (check->next != NULL) check->next->previous = check;
  a->checks = check;
  const struct db_value values[] = {DB_TEXT(check->claims.user_id)};
  check->call = db_query(a->app->db, &FIND_USER, values, 1, user_found, check);
  return check;
}
