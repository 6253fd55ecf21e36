// What is sent to WebSockets: one copy of each text for all who get it, and the line in which frames wait for one
// reader.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame {
  unsigned references;
  size_t length;
  char text[];
};

// {"type":type,"payload":payload,"id":id}. `type` is one of our own words, `payload` JSON text; an id below 0 is left
// out. The caller holds the one reference.
struct frame *frame_new(const char *type, const char *payload, int64_t id);
struct frame *frame_hold(struct frame *f);
void frame_drop(struct frame *f);  // NULL is fine

enum { BACKLOG_FRAMES = 500, BACKLOG_BYTES = 256 * 1024 };

// A ring that grows as far as BACKLOG_FRAMES and BACKLOG_BYTES.
struct backlog {
  struct frame **items;
  unsigned head, count, room;
  size_t bytes;
};

// Takes a reference of its own. False: there is no more room, nothing was taken. A frame that is larger than all the
// room is let in when it is alone.
bool backlog_push(struct backlog *b, struct frame *f);
// What was read for this reader alone, in pieces that it asked for: beyond the bounds as well.
void backlog_push_anyway(struct backlog *b, struct frame *f);
struct frame *backlog_take(struct backlog *b);  // with its reference; NULL: none waits
void backlog_done(struct backlog *b);           // drops all, empty after
