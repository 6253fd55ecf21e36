#include "arena/intern.h"

#include "base/map.h"
#include "base/memory.h"

enum { INPUT_MAX = 4096 };

static struct map *words;  // word -> its copy
static size_t from_input;

static const char *add(const char *word) {
  char *copy = mem_strdup(word);
  map_put(words, word, copy);
  return copy;
}

static const char *find(const char *word) {
  if (!words) words = map_new(NULL);
  return map_get(words, word);
}

const char *intern(const char *word) {
  if (!word) return NULL;
  const char *known = find(word);
  return known ? known : add(word);
}

const char *intern_input(const char *word) {
  if (!word) return NULL;
  const char *known = find(word);
  if (known) return known;
  if (from_input >= INPUT_MAX) return intern("Other");
  from_input++;
  return add(word);
}
