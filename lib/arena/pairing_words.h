// Numbers for texts: 0, 1, 2... in the order in which they come. A pass asks for hundreds of
// thousands, and base/map, with several memory accesses for each, would take longer than the pairing.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WORDS_NONE UINT32_MAX

struct words {
  struct word *slots;  // a power of 2 of them, at most half used
  size_t room, count;
};

// The text is borrowed while the numbers are used.
uint32_t words_add(struct words *w, const char *text);         // its number, a new one when it has none
uint32_t words_find(const struct words *w, const char *text);  // WORDS_NONE when it has none
// The same for many, much faster than one by one: the memory of several is fetched at a time.
void words_add_all(struct words *w, const char *const *texts, size_t count, uint32_t *ret);
void words_find_all(const struct words *w, const char *const *texts, size_t count, uint32_t *ret);
void words_done(struct words *w);
