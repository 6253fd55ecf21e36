#include "object_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/memory.h"

enum { SLUG_MAX = 40, DIGEST = 32, AGENT_HEX = 6, MATCH_HEX = 20 };

static void hex(const unsigned char *bytes, size_t digits, char *ret) {
  for (size_t i = 0; i < digits; i += 2) snprintf(ret + i, 3, "%02x", bytes[i / 2]);
}

static void digest(const char *text, unsigned char ret[DIGEST]) {
  if (EVP_Digest(text, strlen(text), ret, NULL, EVP_sha256(), NULL) != 1) abort();
}

// Letters and digits; whatever else is one '-', none at the ends.
static size_t slug(const char *name, char ret[SLUG_MAX + 1]) {
  size_t n = 0;
  for (; *name && n < SLUG_MAX; name++) {
    const char c = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
      ret[n++] = c;
    else if (n > 0 && ret[n - 1] != '-')
      ret[n++] = '-';
  }
  while (n > 0 && ret[n - 1] == '-') n--;
  ret[n] = 0;
  return n;
}

void object_name_agent(char ret[NAME_SIZE], const char *username, const char *name, unsigned number) {
  char readable[SLUG_MAX + 1];
  if (slug(name, readable) == 0) strcpy(readable, "agent");
  // A user's name has no '/', so that nobody's name and another's agent are the same text.
  cleanup_free char *whole =
      number == 0 ? mem_printf("%s/%s", username, name) : mem_printf("%s/%s\n%u", username, name, number);
  unsigned char bytes[DIGEST];
  digest(whole, bytes);
  char suffix[AGENT_HEX + 1];
  hex(bytes, AGENT_HEX, suffix);
  snprintf(ret, NAME_SIZE, "%s-%s", readable, suffix);
}

void object_name_match(char ret[NAME_SIZE], const char *username, const char *key) {
  unsigned char bytes[DIGEST];
  if (key != NULL) {
    cleanup_free char *whole = mem_printf("%s/%s", username, key);
    digest(whole, bytes);
  } else if (RAND_bytes(bytes, sizeof bytes) != 1) {
    abort();
  }
  char suffix[MATCH_HEX + 1];
  hex(bytes, MATCH_HEX, suffix);
  snprintf(ret, NAME_SIZE, "m-%s", suffix);
}
