#include "hub_frame.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum { FIRST_ROOM = 8 };

struct frame *frame_new(const char *type, const char *payload, int64_t id) {
  char end[40];
  if (id < 0)
    snprintf(end, sizeof end, "}");
  else
    snprintf(end, sizeof end, ",\"id\":%" PRId64 "}", id);
  static const char format[] = "{\"type\":\"%s\",\"payload\":%s%s";
  const size_t room = sizeof format + strlen(type) + strlen(payload) + strlen(end);
  struct frame *f = mem_alloc(sizeof *f + room);
  f->references = 1;
  f->length = (size_t)snprintf(f->text, room, format, type, payload, end);
  return f;
}

struct frame *frame_hold(struct frame *f) {
  f->references++;
  return f;
}

void frame_drop(struct frame *f) {
  if (f == NULL) return;
  assert(f->references > 0);
  if (--f->references == 0) free(f);
}

static void grow(struct backlog *b) {
  const unsigned room = b->room > 0 ? b->room * 2 : FIRST_ROOM;
  struct frame **items = mem_alloc(room * sizeof(struct frame *));
  for (unsigned i = 0; i < b->count; i++) items[i] = b->items[(b->head + i) % b->room];
  free(b->items);
  b->items = items;
  b->room = room;
  b->head = 0;
}

void backlog_push_anyway(struct backlog *b, struct frame *f) {
  if (b->count == b->room) grow(b);
  b->items[(b->head + b->count) % b->room] = frame_hold(f);
  b->count++;
  b->bytes += f->length;
}

bool backlog_push(struct backlog *b, struct frame *f) {
  if (b->count >= BACKLOG_FRAMES) return false;
  if (b->count > 0 && b->bytes + f->length > BACKLOG_BYTES) return false;
  backlog_push_anyway(b, f);
  return true;
}

struct frame *backlog_take(struct backlog *b) {
  if (b->count == 0) return NULL;
  struct frame *f = b->items[b->head];
  b->head = (b->head + 1) % b->room;
  b->count--;
  b->bytes -= f->length;
  if (b->count == 0) {  // ten thousand readers that keep up need no lines
    free(b->items);
    *b = (struct backlog){0};
  }
  return f;
}

void backlog_done(struct backlog *b) {
  for (struct frame *f; (f = backlog_take(b)) != NULL;) frame_drop(f);
  free(b->items);
  *b = (struct backlog){0};
}
