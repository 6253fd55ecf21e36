// A bearer token, fixed or in a file that somebody else keeps fresh (the kubelet renews the
// service account's token long before it ends).
#pragma once

#include <sys/stat.h>

#include "base/clock.h"
#include "base/error.h"

struct token {
  char *file;  // NULL: fixed
  char *text;  // NULL: none yet
  msec read_at;
  struct timespec changed;  // the file's mtime when it was read
};

enum { TOKEN_MAX = 64 * 1024, TOKEN_REREAD_MS = 60 * 1000 };

void token_set_text(struct token *t, const char *text);
void token_set_file(struct token *t, const char *file);
void token_done(struct token *t);

// The token to send, NULL without one. The file is read again when its mtime changed or a minute
// went by (`now` is monotonic); when it cannot be read, the last one is used on.
const char *token_get(struct token *t, msec now);

// After a 401: forgets what was read. False for a fixed token, which cannot become better.
bool token_expire(struct token *t);

// Pure: white space around it is dropped; ERR_INVALID when what is left cannot be a header's value.
enum error_code token_clean(char *text, struct error *e);
