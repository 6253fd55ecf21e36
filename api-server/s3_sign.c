#include "s3_sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { HASH_SIZE = 32, TEXT_MAX = 16 << 10, DAY_LENGTH = 8 };

void s3_date(msec now, char ret[S3_DATE_SIZE]) {
  time_t seconds = (time_t)(now / 1000);
  struct tm utc;
  if (!gmtime_r(&seconds, &utc) || strftime(ret, S3_DATE_SIZE, "%Y%m%dT%H%M%SZ", &utc) != S3_DATE_SIZE - 1) abort();
}

static void to_hex(const unsigned char hash[HASH_SIZE], char ret[S3_HEX_SIZE]) {
  for (size_t i = 0; i < HASH_SIZE; i++) snprintf(ret + 2 * i, 3, "%02x", hash[i]);
}

void s3_sha256(const void *bytes, size_t length, char ret[S3_HEX_SIZE]) {
  unsigned char hash[HASH_SIZE];
  if (EVP_Digest(bytes, length, hash, NULL, EVP_sha256(), NULL) != 1) abort();
  to_hex(hash, ret);
}

static void keyed(const void *key, size_t key_length, const char *text, size_t length, unsigned char ret[HASH_SIZE]) {
  if (!HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)text, length, ret, NULL)) abort();
}

void s3_escape(struct str *ret, const char *text, bool slash) {
  static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  for (; *text; text++) {
    if (strchr(PLAIN, *text) || (slash && *text == '/'))
      str_add_bytes(ret, text, 1);
    else
      str_add_format(ret, "%%%02X", (unsigned char)*text);
  }
}

static void canonical(struct str *ret, const struct s3_signed *r, const char *date, const char *headers) {
  str_add_format(ret, "%s\n%s\n%s\nhost:%s\n", r->method, r->path, r->query, r->host);
  if (r->range) str_add_format(ret, "range:%s\n", r->range);
  str_add_format(ret, "x-amz-content-sha256:%s\nx-amz-date:%s\n\n%s\n%s", r->payload_sha256, date, headers,
                 r->payload_sha256);
}

static void signing_key(const struct s3_credentials *c, const char *day, unsigned char ret[HASH_SIZE]) {
  struct str cleanup_str secret = STR_INIT(TEXT_MAX);
  str_add_format(&secret, "AWS4%s", c->secret_access_key);
  keyed(secret.data, secret.length, day, DAY_LENGTH, ret);
  keyed(ret, HASH_SIZE, c->region, strlen(c->region), ret);
  keyed(ret, HASH_SIZE, "s3", 2, ret);
  keyed(ret, HASH_SIZE, "aws4_request", strlen("aws4_request"), ret);
}

void s3_authorization(const struct s3_credentials *c, const struct s3_signed *r, const char *date, struct str *ret) {
  const char *headers =
      r->range ? "host;range;x-amz-content-sha256;x-amz-date" : "host;x-amz-content-sha256;x-amz-date";
  struct str cleanup_str request = STR_INIT(TEXT_MAX), scope = STR_INIT(TEXT_MAX), text = STR_INIT(TEXT_MAX);
  canonical(&request, r, date, headers);
  char hash[S3_HEX_SIZE], signature[S3_HEX_SIZE];
  s3_sha256(request.data, request.length, hash);
  str_add_format(&scope, "%.*s/%s/s3/aws4_request", DAY_LENGTH, date, c->region);
  str_add_format(&text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, str_text(&scope), hash);

  unsigned char key[HASH_SIZE];
  signing_key(c, date, key);
  keyed(key, sizeof key, text.data, text.length, key);
  to_hex(key, signature);
  str_add_format(ret, "AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,Signature=%s", c->access_key_id,
                 str_text(&scope), headers, signature);
}
