#include "challenge.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/str.h"

static const char *skip(const char *t, const char *what) {
  return t + strspn(t, what);
}

// A value: "quoted", with \ before what stands for itself, or a word. *t is moved behind it.
static char *value(const char **t) {
  struct str text = STR_INIT(4096);
  if (**t == '"') {
    for ((*t)++; **t && **t != '"'; (*t)++) {
      if (**t == '\\' && (*t)[1]) (*t)++;
      str_add_bytes(&text, *t, 1);
    }
    *t += **t == '"';
  } else {
    size_t length = strcspn(*t, " \t,");
    str_add_bytes(&text, *t, length);
    *t += length;
  }
  return str_take(&text);
}

static void parameters(const char *t, struct challenge *ret) {
  for (t = skip(t, " \t,"); *t; t = skip(t, " \t,")) {
    size_t length = strcspn(t, "= \t,");
    const char *name = t;
    t = skip(t + length, " \t");
    if (*t != '=') return;  // the next scheme's name
    t = skip(t + 1, " \t");
    char *text = value(&t);
    char **field = length == 5 && strncasecmp(name, "realm", 5) == 0     ? &ret->realm
                   : length == 7 && strncasecmp(name, "service", 7) == 0 ? &ret->service
                                                                         : NULL;
    if (field && !*field)
      *field = text;
    else
      free(text);
  }
}

bool challenge_parse(const char *header, struct challenge *ret) {
  challenge_done(ret);
  const char *t = skip(header, " \t");
  if (strncasecmp(t, "Basic", 5) == 0 && !isalnum((unsigned char)t[5])) {
    ret->kind = CHALLENGE_BASIC;
  } else if (strncasecmp(t, "Bearer", 6) == 0 && isspace((unsigned char)t[6])) {
    parameters(t + 6, ret);
    if (ret->realm) ret->kind = CHALLENGE_BEARER;
  }
  return ret->kind != CHALLENGE_NONE;
}

void challenge_done(struct challenge *c) {
  free(c->realm);
  free(c->service);
  *c = (struct challenge){0};
}

static void add_escaped(struct str *url, const char *text) {
  for (; *text; text++) {
    if (isalnum((unsigned char)*text) || strchr("-._~/:", *text))
      str_add_bytes(url, text, 1);
    else
      str_add_format(url, "%%%02X", (unsigned char)*text);
  }
}

char *challenge_url(const struct challenge *c, const char *repository) {
  struct str url = STR_INIT(16384);
  str_add(&url, c->realm);
  str_add(&url, strchr(c->realm, '?') ? "&" : "?");
  if (c->service) {
    str_add(&url, "service=");
    add_escaped(&url, c->service);
    str_add(&url, "&");
  }
  str_add(&url, "scope=repository:");
  add_escaped(&url, repository);
  str_add(&url, ":pull,push");
  return str_take(&url);
}
