// Tokens: JWTs signed with HS256, and nothing else. Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
  TOKEN_MAX = 2048,  // bytes: longer ones are not looked at
  TOKEN_LIFETIME_SECONDS = 24 * 3600,
  TOKEN_SKEW_SECONDS = 60,  // how far ahead of ours the clock may be that a token was made by
  USER_ID_SIZE = 37,        // a UUID and NUL
  USERNAME_SIZE = 51,
  EMAIL_SIZE = 255,
};

struct token_claims {
  char user_id[USER_ID_SIZE];
  char username[USERNAME_SIZE];
  char email[EMAIL_SIZE];
  int64_t issued;   // iat and nbf, seconds since 1970
  int64_t expires;  // exp
};

// Sets `expires` from `issued`. Heap, caller frees.
char *token_issue(struct token_claims *claims, const char *secret);

// ERR_FORBIDDEN with a sentence for whoever sent it: malformed, another algorithm, not ours, too old or from the
// future.
enum error_code token_read(const char *token, const char *secret, int64_t now, struct token_claims *ret,
                           struct error *e);
