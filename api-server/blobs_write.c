// A blob on its way in: counted, hashed, cut into parts; at most one part of each writer is under way.
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "blobs_parts.h"

// ---- places --------------------------------------------------------------------------------------

static void leave_line(struct blob_writer *w) {
  for (struct blob_writer **at = &w->b->first_waiting; *at; at = &(*at)->next_waiting) {
    if (*at != w) continue;
    *at = w->next_waiting;
    break;
  }
  w->waits = false;
  w->next_waiting = NULL;
}

static void join_line(struct blob_writer *w) {
  struct blob_writer **at = &w->b->first_waiting;
  while (*at) at = &(*at)->next_waiting;
  *at = w;
  w->waits = true;
}

static bool take_place(struct blob_writer *w) {
  if (w->has_place) return true;
  if (w->waits || w->b->taken >= w->store->places) return false;
  w->has_place = true;
  w->b->taken++;
  return true;
}

// From the loop: whoever waits may do anything when it is told.
static void go_on_later(struct blob_writer *w) {
  w->due = true;
  timer_set(w->b->turn, 0);
}

static void leave_place(struct blob_writer *w) {
  struct blobs *b = w->b;
  if (w->waits) leave_line(w);
  if (!w->has_place) return;
  w->has_place = false;
  b->taken--;
  struct blob_writer *next = b->first_waiting;
  if (!next) return;
  leave_line(next);
  take_place(next);
  go_on_later(next);
}

// ---- lifetime ------------------------------------------------------------------------------------

struct blob_writer *blob_create(struct blobs *b, const char *media_type, size_t max_bytes, void (*ready)(void *context),
                                void *context) {
  struct blob_writer *w = mem_alloc(sizeof *w);
  w->b = b;
  w->store = b->store;
  w->media_type = mem_strdup(media_type);
  w->max = (int64_t)max_bytes;
  w->ready = ready;
  w->ready_context = context;
  blob_uuid(w->upload);
  w->digest = mem_must(EVP_MD_CTX_new());
  if (EVP_DigestInit_ex(w->digest, EVP_sha256(), NULL) != 1) abort();
  w->next = b->writers;
  if (w->next) w->next->previous = w;
  b->writers = w;
  return w;
}

void blob_writer_free(struct blob_writer *w) {
  leave_place(w);
  if (w->previous) w->previous->next = w->next;
  if (w->next) w->next->previous = w->previous;
  if (w->b->writers == w) w->b->writers = w->next;
  w->store->forget(w);
  EVP_MD_CTX_free(w->digest);
  free(w->buffer);
  free(w->media_type);
  free(w);
}

const struct error *blob_problem(const struct blob_writer *w) {
  return w->problem.code ? &w->problem : NULL;
}

static void fail(struct blob_writer *w, const struct error *e) {
  if (w->problem.code) return;
  w->problem = *e;
  w->held = 0;
  leave_place(w);
}

// ---- bytes ---------------------------------------------------------------------------------------

static void append(struct blob_writer *w, const void *bytes, size_t length) {
  if (w->held + length > w->room) {
    size_t room = w->room ? w->room : 4096;
    while (room < w->held + length) room *= 2;
    w->buffer = mem_grow(w->buffer, room, 1);
    w->room = room;
  }
  memcpy(w->buffer + w->held, bytes, length);
  w->held += length;
}

static void drop_front(struct blob_writer *w, size_t length) {
  w->held -= length;
  memmove(w->buffer, w->buffer + length, w->held);
}

static void end(struct blob_writer *w) {
  if (w->problem.code) {
    blob_writer_ended(w, &w->problem);
    return;
  }
  unsigned char hash[EVP_MAX_MD_SIZE];
  if (EVP_DigestFinal_ex(w->digest, hash, NULL) != 1) abort();
  for (size_t i = 0; i < (BLOB_SHA256_SIZE - 1) / 2; i++) snprintf(w->sha256 + 2 * i, 3, "%02x", hash[i]);
  w->busy = w->touched = true;
  w->store->finish(w, w->buffer, w->held);
}

// Does the next thing that is due, when the store is not at work on it.
static void go_on(struct blob_writer *w) {
  if (w->busy) return;
  if (w->state == WRITER_ABANDONED) {
    if (w->touched) w->store->discard(w->b, w);
    blob_writer_free(w);
    return;
  }
  if (w->held > w->store->part_size || (w->held == w->store->part_size && w->state == WRITER_OPEN)) {
    w->busy = w->touched = true;
    w->store->put(w, w->buffer, w->store->part_size);
    return;
  }
  if (w->state == WRITER_FINISHING) {
    end(w);
    return;
  }
  if (w->full && !w->waits) {
    w->full = false;
    w->ready(w->ready_context);  // may do anything to the writer
  }
}

void blob_writer_turn(struct blobs *b) {
  // From the start after each: it may have freed any other.
  for (struct blob_writer *w = b->writers; w;) {
    if (!w->due) {
      w = w->next;
      continue;
    }
    w->due = false;
    go_on(w);
    w = b->writers;
  }
}

bool blob_write(struct blob_writer *w, const void *bytes, size_t length) {
  assert(w->state == WRITER_OPEN);
  if (w->problem.code || length == 0) return !w->full;
  w->size += (int64_t)length;
  if (w->size > w->max) {
    struct error e;
    error_set(&e, ERR_TOO_LARGE, "it has more than %lld bytes", (long long)w->max);
    fail(w, &e);
    w->full = false;
    return true;
  }
  if (EVP_DigestUpdate(w->digest, bytes, length) != 1) abort();
  append(w, bytes, length);
  if (w->held > BLOB_SMALL && !take_place(w)) {
    if (!w->waits) join_line(w);
    w->full = true;
    return false;
  }
  if (w->held >= w->store->part_size) {
    w->full = true;
    go_on(w);
    return false;
  }
  return !w->full;
}

void blob_writer_stored(struct blob_writer *w, const struct error *e) {
  w->busy = false;
  w->parts++;
  if (e)
    fail(w, e);
  else if (w->held > 0)
    drop_front(w, w->store->part_size);
  go_on(w);
}

// ---- its end -------------------------------------------------------------------------------------

void blob_finish(struct blob_writer *w,
                 void (*done)(void *context, const char *sha256, int64_t size, const struct error *e), void *context) {
  assert(w->state == WRITER_OPEN);
  w->state = WRITER_FINISHING;
  w->done = done;
  w->done_context = context;
  if (!w->busy) go_on_later(w);
}

void blob_writer_ended(struct blob_writer *w, const struct error *e) {
  w->busy = false;
  bool abandoned = w->state == WRITER_ABANDONED;
  if (e && w->touched) w->store->discard(w->b, w);
  if (!abandoned) w->done(w->done_context, e ? NULL : w->sha256, e ? 0 : w->size, e);
  blob_writer_free(w);
}

void blob_abandon(struct blob_writer *w) {
  w->state = WRITER_ABANDONED;
  w->held = 0;
  leave_place(w);
  go_on(w);  // or when the store is done with what it has
}
