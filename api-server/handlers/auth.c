// Accounts: register, sign in, a fresh token, another password.
//
// Hashes are computed in the pool. An unknown user costs the same hash as a wrong password, so that neither the answer
// nor its time tells who has an account.
#include "auth.h"

#include <string.h>

#include <openssl/crypto.h>

#include "base/memory.h"
#include "base/str.h"
#include "io/metrics.h"

#include "app.h"
#include "fields.h"
#include "handlers.h"
#include "password.h"
#include "query.h"
#include "settings.h"

// Columns that every statement here gives: the user, and when a token for it is to be dated. The clock is
// PostgreSQL's, whose tokens_after it is compared with.
#define USER_COLUMNS                                \
  "u.id, u.username, u.email, user_json(u)::text, " \
  "floor(extract(epoch FROM greatest(now(), u.tokens_after)))::bigint"
enum { COLUMN_ID, COLUMN_USERNAME, COLUMN_EMAIL, COLUMN_JSON, COLUMN_NOW, COLUMN_HASH };

// A name under which somebody made agents by kubectl is taken: whoever registered it would own them.
static const struct db_statement INSERT_USER = {
    "auth_insert_user",
    "INSERT INTO users AS u (username, email, password_hash, full_name, tokens_after) "
    "SELECT $1, $2, $3, nullif($4, ''), date_trunc('second', now()) "
    "WHERE NOT EXISTS (SELECT FROM agents a WHERE lower(a.owner) = $1) "
    "RETURNING " USER_COLUMNS};
static const struct db_statement FIND_LOGIN = {
    "auth_find_login",
    "SELECT " USER_COLUMNS ", u.password_hash FROM users u WHERE u.username = lower($1) OR lower(u.email) = lower($1)"};
static const struct db_statement FIND_BY_ID = {
    "auth_find_by_id", "SELECT " USER_COLUMNS ", u.password_hash FROM users u WHERE u.id = $1::uuid"};
// Only over the hash that the old password was compared with; tokens of before end with it, those of this second too.
static const struct db_statement CHANGE_PASSWORD = {
    "auth_change_password",
    "UPDATE users u SET password_hash = $3, tokens_after = date_trunc('second', now()) + interval '1 second', "
    "updated_at = now() WHERE u.id = $1::uuid AND u.password_hash = $2 "
    "RETURNING " USER_COLUMNS ", pg_notify('arena_users', u.id::text)::text"};

// A request on its way through hashes and statements.
struct account {
  struct exchange *exchange;
  char *username, *email, *full_name;
  char *password, *new_password;
  char *hash;  // of the old password, as stored
  json *user;  // for the answer
  struct token_claims claims;
};

static void wipe(char *secret) {
  if (secret == NULL) return;
  OPENSSL_cleanse(secret, strlen(secret));
  free(secret);
}

static struct exchange *account_free(struct account *a) {
  struct exchange *x = a->exchange;
  free(a->username);
  free(a->email);
  free(a->full_name);
  wipe(a->password);
  wipe(a->new_password);
  free(a->hash);
  json_put(&a->user);
  free(a);
  return x;
}

static struct account *account_new(struct exchange *x) {
  struct account *a = mem_alloc(sizeof *a);
  a->exchange = x;
  return a;
}

// What signing in costs; `what`: "new" or "check".
static void count_hash(const struct account *a, const char *what) {
  struct metrics *m = exchange_app(a->exchange)->metrics;
  metric_add(metrics_counter(m, "rl_arena_password_hashes_total", "Password hashes computed.", "what"), what, 1);
}

// The line of hashes is as long as it may be.
static void too_busy(struct account *a) {
  exchange_add_header(a->exchange, "Retry-After", "2");
  exchange_fail(account_free(a), 503, "busy", "Too many people sign in at this moment. Try again in two seconds.");
}

static void read_user(struct account *a, const struct db_rows *rows) {
  const char *id = db_rows_text(rows, 0, COLUMN_ID), *name = db_rows_text(rows, 0, COLUMN_USERNAME);
  const char *email = db_rows_text(rows, 0, COLUMN_EMAIL);
  a->claims = (struct token_claims){.issued = db_rows_int(rows, 0, COLUMN_NOW, 0)};
  memcpy(a->claims.user_id, id, strnlen(id, USER_ID_SIZE - 1));
  memcpy(a->claims.username, name, strnlen(name, USERNAME_SIZE - 1));
  memcpy(a->claims.email, email, strnlen(email, EMAIL_SIZE - 1));
  a->user = json_parse(db_rows_text(rows, 0, COLUMN_JSON), db_rows_length(rows, 0, COLUMN_JSON), NULL);
}

static void reply_token(struct account *a, int status, const char *message) {
  cleanup_free char *token = token_issue(&a->claims, exchange_app(a->exchange)->settings->jwt_secret);
  json *body = json_new_object();
  json_add_text(body, "message", message);
  json_add_text(body, "token", token);
  json_add_time(body, "expiresAt", (msec)a->claims.expires * 1000);
  json_add(body, "user", a->user);
  a->user = NULL;
  struct exchange *x = account_free(a);
  exchange_add_header(x, "Cache-Control", "no-store");
  exchange_reply(x, status, body);
}

// The least is configuration; `key` names the field.
static bool password_field(struct exchange *x, const char *key, bool is_new, char **ret) {
  const size_t least = is_new ? (size_t)exchange_app(x)->settings->password_min : 0;
  return field_text(x, &(struct field){.key = key, .least = least, .most = PASSWORD_MAX, .required = true, .raw = true},
                    ret);
}

// ---- register ------------------------------------------------------------------------------------

static void user_inserted(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  struct account *a = context;
  if (e != NULL && e->code == ERR_EXISTS && text_equal(constraint, "users_email")) {
    exchange_fail(account_free(a), 409, "exists", "There is an account with this e-mail address already. Sign in.");
  } else if ((e != NULL && e->code == ERR_EXISTS) || (e == NULL && db_rows_count(rows) == 0)) {
    cleanup_free char *name = mem_strdup(a->username);
    exchange_fail(account_free(a), 409, "exists", "The user name %s is taken. Choose another one.", name);
  } else if (e != NULL) {
    query_fail(account_free(a), e);
  } else {
    read_user(a, rows);
    reply_token(a, 201, "Welcome to the arena.");
  }
}

static void new_hashed(void *context, const char *hash) {
  struct account *a = context;
  count_hash(a, "new");
  const struct db_value values[] = {DB_TEXT(a->username), DB_TEXT(a->email), DB_TEXT(hash), DB_TEXT(a->full_name)};
  db_query(exchange_app(a->exchange)->db, &INSERT_USER, values, 4, user_inserted, a);
}

// Lower-cases the name. false: answered.
static bool check_names(struct account *a) {
  char name[USERNAME_SIZE];
  if (!field_username(a->username, name)) {
    exchange_fail(a->exchange, 400, "invalid",
                  "username must have 3 to 50 letters (a to z), digits, '-' and '_', with a letter or digit at both "
                  "ends.");
    return false;
  }
  mem_replace(&a->username, name);
  if (field_is_email(a->email)) return true;
  exchange_fail(a->exchange, 400, "invalid", "email must be an e-mail address such as name@example.com.");
  return false;
}

void handle_register(struct exchange *x) {
  struct account *a = account_new(x);
  if (!field_text(x, &(struct field){.key = "username", .least = 1, .most = 200, .required = true}, &a->username) ||
      !field_text(x, &(struct field){.key = "email", .least = 1, .most = EMAIL_SIZE - 1, .required = true},
                  &a->email) ||
      !password_field(x, "password", true, &a->password) ||
      !field_text(x, &(struct field){.key = "fullName", .most = 200}, &a->full_name) || !check_names(a)) {
    account_free(a);
  } else if (!password_hash_start(exchange_app(x)->work, a->password, new_hashed, a)) {
    too_busy(a);
  }
}

// ---- login -----------------------------------------------------------------------------------------

static void login_checked(void *context, bool right) {
  struct account *a = context;
  count_hash(a, "check");
  if (right)
    reply_token(a, 200, "Signed in.");
  else
    exchange_fail(account_free(a), 401, "unauthorized", "The user name or e-mail address, or the password, is wrong.");
}

static void login_found(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct account *a = context;
  if (e != NULL) {
    query_fail(account_free(a), e);
    return;
  }
  const bool known = db_rows_count(rows) == 1;
  if (known) read_user(a, rows);
  const char *stored = known ? db_rows_text(rows, 0, COLUMN_HASH) : NULL;
  if (!password_check_start(exchange_app(a->exchange)->work, a->password, stored, login_checked, a)) too_busy(a);
}

// Either field may hold either.
void handle_login(struct exchange *x) {
  struct account *a = account_new(x);
  const struct field email = {.key = "email", .most = EMAIL_SIZE - 1};
  const struct field username = {.key = "username", .most = EMAIL_SIZE - 1};
  if (!field_text(x, &email, &a->email) || !field_text(x, &username, &a->username) ||
      !password_field(x, "password", false, &a->password)) {
    account_free(a);
    return;
  }
  const char *who = text_empty(a->email) ? a->username : a->email;
  if (text_empty(who)) {
    exchange_fail(account_free(a), 400, "invalid", "email is missing: it may be an e-mail address or a user name.");
    return;
  }
  const struct db_value values[] = {DB_TEXT(who)};
  db_query(exchange_app(x)->db, &FIND_LOGIN, values, 1, login_found, a);
}

// ---- a fresh token -----------------------------------------------------------------------------------

static void refreshed(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct account *a = context;
  if (e != NULL) {
    query_fail(account_free(a), e);
  } else if (db_rows_count(rows) == 0) {
    exchange_fail(account_free(a), 401, "unauthorized", "The token's user does not exist. Sign in again.");
  } else {
    read_user(a, rows);
    reply_token(a, 200, "A fresh token.");
  }
}

void handle_refresh(struct exchange *x) {
  const struct db_value values[] = {DB_TEXT(exchange_user_id(x))};
  db_query(exchange_app(x)->db, &FIND_BY_ID, values, 1, refreshed, account_new(x));
}

// ---- another password ----------------------------------------------------------------------------------

static void password_changed(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct account *a = context;
  if (e != NULL) {
    query_fail(account_free(a), e);
  } else if (db_rows_count(rows) == 0) {
    exchange_fail(account_free(a), 409, "conflict", "The password was changed by another request just now.");
  } else {
    json_put(&a->user);
    read_user(a, rows);
    auth_forget(exchange_app(a->exchange)->auth, a->claims.user_id);
    reply_token(a, 200, "The password is changed. Tokens given before are no longer good; here is a new one.");
  }
}

static void another_hashed(void *context, const char *hash) {
  struct account *a = context;
  count_hash(a, "new");
  const struct db_value values[] = {DB_TEXT(a->claims.user_id), DB_TEXT(a->hash), DB_TEXT(hash)};
  db_query(exchange_app(a->exchange)->db, &CHANGE_PASSWORD, values, 3, password_changed, a);
}

static void old_checked(void *context, bool right) {
  struct account *a = context;
  count_hash(a, "check");
  if (!right)
    exchange_fail(account_free(a), 401, "unauthorized", "oldPassword is wrong.");
  else if (!password_hash_start(exchange_app(a->exchange)->work, a->new_password, another_hashed, a))
    too_busy(a);
}

static void old_found(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct account *a = context;
  if (e != NULL) {
    query_fail(account_free(a), e);
    return;
  }
  if (db_rows_count(rows) == 0) {
    exchange_fail(account_free(a), 401, "unauthorized", "The token's user does not exist. Sign in again.");
    return;
  }
  read_user(a, rows);
  a->hash = mem_strdup(db_rows_text(rows, 0, COLUMN_HASH));
  if (!password_check_start(exchange_app(a->exchange)->work, a->password, a->hash, old_checked, a)) too_busy(a);
}

void handle_change_password(struct exchange *x) {
  struct account *a = account_new(x);
  if (!password_field(x, "oldPassword", false, &a->password) ||
      !password_field(x, "newPassword", true, &a->new_password)) {
    account_free(a);
    return;
  }
  const struct db_value values[] = {DB_TEXT(exchange_user_id(x))};
  db_query(exchange_app(x)->db, &FIND_BY_ID, values, 1, old_found, a);
}
