// 64-bit fingerprints of what a state is made of.
#pragma once

#include "base/json.h"

static inline uint64_t hash_mix(uint64_t h, uint64_t x) {
  h ^= x + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
  h ^= h >> 30;
  h *= 0xbf58476d1ce4e5b9u;
  h ^= h >> 27;
  h *= 0x94d049bb133111ebu;
  return h ^ (h >> 31);
}

uint64_t hash_bytes(const void *bytes, size_t length);
uint64_t hash_text(const char *text);  // NULL is its own value
// Without regard to the order of an object's keys, and without "resourceVersion", which tells when and not what.
uint64_t hash_json(json *j);
