// Any bytes as a token ('r' first), or as the header and the payload, one line each, of one that is signed with the
// right secret ('s' first): refused with a sentence, or claims that are whole and good now.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/str.h"

#include "auth_token.h"
#include "target.h"

#define SECRET "a secret of at least thirty-two bytes"
#define NOW 1700000000

static void add_base64url(struct str *s, const unsigned char *bytes, size_t length) {
  cleanup_free char *text = mem_alloc(4 * (length + 2) / 3 + 4);
  EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
  for (char *c = text; *c; c++) *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
  text[strcspn(text, "=")] = 0;
  str_add(s, text);
}

static char *sign(const char *header, size_t header_length, const char *payload, size_t payload_length) {
  struct str token = STR_INIT(1 << 20);
  add_base64url(&token, (const unsigned char *)header, header_length);
  str_add(&token, ".");
  add_base64url(&token, (const unsigned char *)payload, payload_length);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (HMAC(EVP_sha256(), SECRET, (int)strlen(SECRET), (const unsigned char *)token.data, token.length, mac, &length) ==
      NULL)
    abort();
  str_add(&token, ".");
  add_base64url(&token, mac, length);
  return str_take(&token);
}

static void check(const char *token, bool may_be_good) {
  struct token_claims c = {0};
  struct error e = {0};
  if (token_read(token, SECRET, NOW, &c, &e) != ERR_NONE) {
    if (e.code != ERR_FORBIDDEN || e.text[0] == 0 || strstr(e.text, SECRET) != NULL) abort();
    return;
  }
  if (!may_be_good || strlen(token) > TOKEN_MAX) abort();
  if (text_empty(c.user_id) || text_empty(c.username) || text_empty(c.email)) abort();
  if (c.expires <= NOW || c.issued > NOW + TOKEN_SKEW_SECONDS || c.expires > c.issued + TOKEN_LIFETIME_SECONDS) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0 || size > 16384) return 0;
  cleanup_free char *text = mem_strndup((const char *)data + 1, size - 1);
  const size_t length = strlen(text);
  if (data[0] != 's') {
    check(text, strstr(text, ".") != NULL);
    return 0;
  }
  const size_t line = strcspn(text, "\n");
  const char *payload = text + line + (text[line] == '\n');
  cleanup_free char *token = sign(text, line, payload, length - (size_t)(payload - text));
  cleanup_free char *header = mem_strndup(text, line);
  check(token, strstr(header, "HS256") != NULL || strchr(header, '\\') != NULL);
  return 0;
}
