// What the four kinds share: bounded reading, bounded writing, and the difference of two statuses.
#pragma once

#include "arena/resources.h"

// The largest integer that every reader of JSON keeps exact.
#define CODEC_INT53_MAX INT64_C(9007199254740991)

enum {  // the schema's bounds, see crds/
  BOUND_WORD = 128,
  BOUND_NAME = 63,
  BOUND_POD = 253,
  BOUND_IMAGE = 512,
  BOUND_SENTENCE = 1024,
  BOUND_LOG = 4096,
  BOUND_URL = 2048,
  BOUND_VERSION = 256,
  BOUND_HASH = 64,
  BOUND_ELO = 1000000,
};

// An integer brought into min..max; `otherwise` when it is absent or no integer.
int32_t codec_int32(json *o, const char *key, int32_t min, int32_t max, int32_t otherwise);
int64_t codec_int64(json *o, const char *key, int64_t min, int64_t max, int64_t otherwise);
// A count: 0..INT32_MAX, 0 when absent.
int32_t codec_count(json *o, const char *key);

// The index of the text among `words`; `otherwise` when it is not one of them.
int codec_enum(json *o, const char *key, const char *const *words, int count, int otherwise);

// Adds the bounded text; nothing for NULL and "", which mean the same in a status.
void codec_add_text(json *o, const char *key, const char *text, size_t max);
// Adds a count, also 0; a negative one, which the schema refuses, as 0.
void codec_add_count(json *o, const char *key, int64_t n);
// Adds n unless it is 0, which means "not there yet".
void codec_add_nonzero(json *o, const char *key, int64_t n);

// {"status":{...}} that turns the status `take_from` into `take_to`; NULL when they are equal.
// `everything`: name also what is equal.
json *codec_patch(json *take_from, json *take_to, bool everything);
