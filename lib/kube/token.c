#include "token.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

#include "file.h"

static void forget(struct token *t) {
  if (t->text != NULL) explicit_bzero(t->text, strlen(t->text));
  free(t->text);
  t->text = NULL;
}

void token_set_text(struct token *t, const char *text) {
  forget(t);
  t->text = mem_strdup(text);
}

void token_set_file(struct token *t, const char *file) {
  mem_replace(&t->file, file);
}

void token_done(struct token *t) {
  forget(t);
  mem_replace(&t->file, NULL);
}

enum error_code token_clean(char *text, struct error *e) {
  static const char blanks[] = " \t\r\n";
  size_t start = strspn(text, blanks);
  size_t length = strlen(text + start);
  while (length > 0 && strchr(blanks, text[start + length - 1]) != NULL) length--;
  memmove(text, text + start, length);
  text[length] = 0;
  if (length == 0) return error_set(e, ERR_INVALID, "the token is empty");
  for (size_t i = 0; i < length; i++)
    if (text[i] <= ' ' || text[i] > '~') return error_set(e, ERR_INVALID, "the token has a character no token has");
  return ERR_NONE;
}

static void read_token(struct token *t, msec now, const struct stat *st) {
  t->read_at = now;
  if (st != NULL) t->changed = st->st_mtim;
  struct error e = {0};
  char *text = file_read(t->file, TOKEN_MAX, NULL, &e);
  if (text == NULL || token_clean(text, &e) != ERR_NONE) {
    log_error("service account token cannot be read", "file", t->file, "error", e.text);
    free(text);
    return;
  }
  forget(t);
  t->text = text;
}

const char *token_get(struct token *t, msec now) {
  if (t->file == NULL) return t->text;
  struct stat st;
  bool known = stat(t->file, &st) == 0;
  bool changed = known && (st.st_mtim.tv_sec != t->changed.tv_sec || st.st_mtim.tv_nsec != t->changed.tv_nsec);
  // read_at 0: never read, or a 401 has cast doubt on it.
  if (t->read_at == 0 || changed || now - t->read_at >= TOKEN_REREAD_MS) read_token(t, now, known ? &st : NULL);
  return t->text;
}

bool token_expire(struct token *t) {
  if (t->file == NULL) return false;
  t->read_at = 0;
  return true;
}
