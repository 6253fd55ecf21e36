// Whose service account token it is: asked of the API server by TokenReview, for the audience of the internal port, and
// remembered for a minute by the token's hash. The token itself is kept nowhere. One thread.
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct app;
struct token_review;

#define TOKEN_REVIEW_AUDIENCE "rl-arena-front"

struct token_review *token_review_new(struct app *app);
void token_review_free(struct token_review *t);  // no callback comes after

// `account`: "namespace:serviceaccount", borrowed. ERR_FORBIDDEN: no token of a service account for this audience;
// ERR_UNAVAILABLE, ERR_BUSY, ...: the API server did not say. From inside when the answer is known.
typedef void token_review_done_fn(void *context, const char *account, const struct error *e);
void token_review_check(struct token_review *t, const char *token, token_review_done_fn *done, void *context);

// Pure. A comma list of "namespace:serviceaccount", blanks around them allowed.
bool token_review_list_is_valid(const char *list);
bool token_review_list_has(const char *list, const char *account);
