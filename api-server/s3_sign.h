// AWS Signature Version 4 for S3: what is sent, as one header. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/str.h"

struct s3_credentials {
  const char *region, *access_key_id, *secret_access_key;
};

struct s3_signed {
  const char *method;
  const char *host;            // with a port that is not the scheme's own
  const char *path;            // escaped, as it goes into the URL
  const char *query;           // escaped and sorted; "" for none
  const char *range;           // NULL: none
  const char *payload_sha256;  // hex
};

enum { S3_DATE_SIZE = 17, S3_HEX_SIZE = 65 };

// "20130524T000000Z"
void s3_date(msec now, char ret[S3_DATE_SIZE]);
void s3_sha256(const void *bytes, size_t length, char ret[S3_HEX_SIZE]);
// "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=..." into `ret`.
void s3_authorization(const struct s3_credentials *c, const struct s3_signed *r, const char *date, struct str *ret);
// Escapes a path ("/" stays) or, with `slash` false, a query's value.
void s3_escape(struct str *ret, const char *text, bool slash);
