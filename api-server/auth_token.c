#include "auth_token.h"

#include <errno.h>
#include <jwt.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

// A secret's first bytes are all that a C string can hold; settings see to it that there is no NUL in it.
static const unsigned char *key_of(const char *secret) {
  return (const unsigned char *)secret;
}

char *token_issue(struct token_claims *claims, const char *secret) {
  claims->expires = claims->issued + TOKEN_LIFETIME_SECONDS;
  jwt_t *jwt = NULL;
  int failed = jwt_new(&jwt);
  if (!failed) failed = jwt_set_alg(jwt, JWT_ALG_HS256, key_of(secret), (int)strlen(secret));
  if (!failed) failed = jwt_add_grant(jwt, "userId", claims->user_id);
  if (!failed) failed = jwt_add_grant(jwt, "username", claims->username);
  if (!failed) failed = jwt_add_grant(jwt, "email", claims->email);
  if (!failed) failed = jwt_add_grant_int(jwt, "iat", (long)claims->issued);
  if (!failed) failed = jwt_add_grant_int(jwt, "nbf", (long)claims->issued);
  if (!failed) failed = jwt_add_grant_int(jwt, "exp", (long)claims->expires);
  char *encoded = mem_must(failed ? NULL : jwt_encode_str(jwt));
  char *token = mem_strdup(encoded);
  free(encoded);
  jwt_free(jwt);
  return token;
}

static bool copy_text(jwt_t *jwt, const char *claim, char *ret, size_t size) {
  const char *text = jwt_get_grant(jwt, claim);
  if (text_empty(text) || strlen(text) >= size) return false;
  memcpy(ret, text, strlen(text) + 1);
  return true;
}

static bool read_time(jwt_t *jwt, const char *claim, int64_t *ret) {
  errno = 0;
  *ret = jwt_get_grant_int(jwt, claim);
  return errno == 0 && *ret > 0;
}

static enum error_code read_claims(jwt_t *jwt, int64_t now, struct token_claims *ret, struct error *e) {
  struct token_claims c = {0};
  int64_t not_before = 0;
  if (!copy_text(jwt, "userId", c.user_id, sizeof c.user_id) ||
      !copy_text(jwt, "username", c.username, sizeof c.username) || !copy_text(jwt, "email", c.email, sizeof c.email) ||
      !read_time(jwt, "iat", &c.issued) || !read_time(jwt, "nbf", &not_before) || !read_time(jwt, "exp", &c.expires))
    return error_set(e, ERR_FORBIDDEN, "The token lacks a claim. Sign in again.");
  if (now >= c.expires) return error_set(e, ERR_FORBIDDEN, "The token has expired. Sign in again.");
  // A token of a longer life than any of ours was made by somebody else who knows the secret.
  if (c.issued > now + TOKEN_SKEW_SECONDS || not_before > now + TOKEN_SKEW_SECONDS ||
      c.expires > c.issued + TOKEN_LIFETIME_SECONDS)
    return error_set(e, ERR_FORBIDDEN, "The token is not valid now. Sign in again.");
  *ret = c;
  return ERR_NONE;
}

enum error_code token_read(const char *token, const char *secret, int64_t now, struct token_claims *ret,
                           struct error *e) {
  if (strnlen(token, TOKEN_MAX + 1) > TOKEN_MAX)
    return error_set(e, ERR_FORBIDDEN, "The token is longer than %d bytes. Sign in again.", TOKEN_MAX);
  jwt_t *jwt = NULL;
  if (jwt_decode(&jwt, token, key_of(secret), (int)strlen(secret)) != 0)
    return error_set(e, ERR_FORBIDDEN, "The token is not one of this arena. Sign in again.");
  enum error_code code = ERR_NONE;
  // libjwt takes "hs256" for the same; the standard does not.
  if (jwt_get_alg(jwt) != JWT_ALG_HS256 || !text_equal(jwt_get_header(jwt, "alg"), "HS256"))
    code = error_set(e, ERR_FORBIDDEN, "The token must be signed with HS256. Sign in again.");
  else
    code = read_claims(jwt, now, ret, e);
  jwt_free(jwt);
  return code;
}
