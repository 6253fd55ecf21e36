#include "base/owned.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"

#include "repeated.h"

enum mode { MODE_COPY, MODE_FREE, MODE_PLAN, MODE_PACK, MODE_LET_GO };

// Where a text will be: elsewhere, for one that everybody has; in another one that ends with it; or by itself.
struct place {
  const char *elsewhere;
  const char *text;  // while it is planned
  size_t length, offset;
};

struct owned {
  enum mode mode;
  struct place *places;  // of the texts, in the order in which they are named
  size_t count, next;
  size_t arrays, texts;  // bytes: planned, then used
  char *array_start, *text_start;
};

static void *get(const void *pointer) {
  void *value;
  memcpy(&value, pointer, sizeof(value));  // whatever type it points to
  return value;
}

static void set(void *pointer, const void *value) {
  memcpy(pointer, &value, sizeof(value));
}

// What structs here hold: nothing that needs more than these.
union widest {
  void *pointer;
  int64_t integer;
  double number;
};

static size_t aligned(size_t bytes) {
  const size_t unit = alignof(union widest);
  return (bytes + unit - 1) / unit * unit;
}

static bool ends_with(const struct place *whole, const char *text, size_t length) {
  return whole->elsewhere == NULL && whole->length >= length &&
         memcmp(whole->text + whole->length - length, text, length) == 0;
}

static struct place place_of(struct owned *o, const char *text, size_t length) {
  struct place place = {.text = text, .length = length};
  for (size_t i = 0; i < o->count; i++) {
    const struct place *p = &o->places[i];
    if (!ends_with(p, text, length)) continue;
    place.offset = p->offset + p->length - length;
    return place;
  }
  place.elsewhere = repeated(text, length);
  if (place.elsewhere != NULL) return place;
  place.offset = o->texts;
  o->texts += length + 1;
  return place;
}

static void plan_text(struct owned *o, const char *text) {
  const struct place place = place_of(o, text, strlen(text));
  if ((o->count & (o->count - 1)) == 0)  // a power of two, or 0: all room is used
    o->places = mem_grow(o->places, o->count ? 2 * o->count : 1, sizeof(*o->places));
  o->places[o->count++] = place;
}

static char *pack_text(struct owned *o, char *take_text) {
  const struct place *p = &o->places[o->next++];
  char *there = (char *)(uintptr_t)p->elsewhere;  // a packed struct is to be read only
  if (there == NULL) there = memcpy(o->text_start + p->offset, take_text, p->length + 1);
  free(take_text);
  return there;
}

void owned_text(struct owned *o, char **text) {
  if (*text == NULL) return;
  switch (o->mode) {
    case MODE_COPY: *text = mem_strdup(*text); break;
    case MODE_FREE:
      free(*text);
      *text = NULL;
      break;
    case MODE_PLAN: plan_text(o, *text); break;
    case MODE_PACK: *text = pack_text(o, *text); break;
    case MODE_LET_GO: break;
  }
}

void owned_array(struct owned *o, void *array, size_t bytes) {
  void *old = get(array), *new;
  if (old == NULL) return;
  switch (o->mode) {
    case MODE_COPY:
      new = bytes > 0 ? memcpy(mem_alloc(bytes), old, bytes) : NULL;
      set(array, new);
      break;
    case MODE_PLAN: o->arrays += aligned(bytes); break;
    case MODE_PACK:
      new = bytes > 0 ? memcpy(o->array_start + o->arrays, old, bytes) : NULL;
      o->arrays += aligned(bytes);
      free(old);
      set(array, new);
      break;
    case MODE_FREE:  // its items are named first
    case MODE_LET_GO: break;
  }
}

void owned_array_end(struct owned *o, void *array) {
  if (o->mode != MODE_FREE) return;
  free(get(array));
  set(array, NULL);
}

void owned_shared(struct owned *o, void *pointer, owned_again_fn *again, owned_done_fn *done) {
  switch (o->mode) {
    case MODE_COPY: set(pointer, again(get(pointer))); break;
    case MODE_FREE:
    case MODE_LET_GO:
      done(get(pointer));
      set(pointer, NULL);
      break;
    case MODE_PLAN:
    case MODE_PACK: break;  // it goes along
  }
}

void owned_copy(owned_fn *fn, void *object) {
  fn(&(struct owned){.mode = MODE_COPY}, object);
}

void owned_free(owned_fn *fn, void *object) {
  fn(&(struct owned){.mode = MODE_FREE}, object);
}

void owned_let_go(owned_fn *fn, void *packed) {
  fn(&(struct owned){.mode = MODE_LET_GO}, packed);
}

void *owned_pack(owned_fn *fn, size_t before, void *take_object, size_t size) {
  struct owned o = {.mode = MODE_PLAN};
  const size_t head = aligned(before + size);
  fn(&o, take_object);
  char *block = mem_alloc(head + o.arrays + o.texts);
  memcpy(block + before, take_object, size);
  o.mode = MODE_PACK;
  o.array_start = block + head;
  o.text_start = o.array_start + o.arrays;
  o.arrays = 0;
  fn(&o, block + before);
  free(o.places);
  return block;
}
