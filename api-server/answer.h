// What answers are made of; answer.c and stream.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct exchange;

// Status line and headers, into the connection. `length` -1: as much as comes. Sets x->status, x->stay, x->chunked.
void answer_head(struct exchange *x, int status, const char *content_type, long long length);
// The part of it that says what is left of the allowance; the internal port has none.
void answer_add_allowance(struct exchange *x, struct str *head);
// A whole answer.
void answer_bytes(struct exchange *x, int status, const char *content_type, const void *bytes, size_t length,
                  bool etag);

enum { ETAG_SIZE = 40 };
void etag_of(const void *bytes, size_t length, char ret[ETAG_SIZE]);  // W/"..."
bool etag_listed(const char *if_none_match, const char *etag);

enum { GZIP_FROM = 1024, GZIP_TO = 8 * 1024 * 1024 };  // shorter and longer answers are not packed
// gzip of bytes; false when that makes them no smaller.
bool gzip_bytes(const void *bytes, size_t length, struct str *ret);
// Whether Accept-Encoding takes gzip.
bool gzip_accepted(const char *accept_encoding);
