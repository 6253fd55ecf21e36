#include "match_frames.h"

#include <string.h>

#include "arena/wire.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"
#include "io/grpc.h"
#include "io/timer.h"

#include "app.h"
#include "settings.h"

// A match runs on one replica of the executor and calls go to any: "not running here" is asked again for a while,
// longer when the match is known to run.
enum { STREAMS_MAX = 32, AGAIN_MS = 1000, BUSY_MS = 5000, IDLE_MS = 180 * 1000, TRIES_UNKNOWN = 3, TRIES_RUNNING = 60 };

struct match_frames {
  struct app *app;
  match_frame_fn *fn;
  void *context;
  struct map *watched;  // by the match's id
  unsigned streams;
};

struct watched {
  struct match_frames *all;
  struct grpc_stream *stream;
  struct timer *again;
  unsigned tries;  // that are left
  int64_t step;    // the last one shown: a new call begins with the first frame again
  char id[];
};

static void open_stream(struct watched *w);

static void stop(struct watched *w) {
  if (w->stream != NULL) w->all->streams--;
  grpc_stream_cancel(w->stream);
  w->stream = NULL;
  timer_clear(w->again);
}

static void watched_free(void *value) {
  struct watched *w = value;
  stop(w);
  timer_free(w->again);
  free(w);
}

static bool on_frame(void *context, const uint8_t *bytes, size_t length) {
  struct watched *w = context;
  struct wire_frame frame = {0};
  struct error e = {0};
  if (wire_decode_frame(bytes, length, &frame, &e) != ERR_NONE) {
    log_warn("a frame of a match cannot be read", "match", w->id, "error", e.text);
    return false;
  }
  if (frame.step > w->step) {
    w->step = frame.step;
    const char *rest = frame.json + 1;  // after the brace
    cleanup_free char *payload = mem_printf("{\"matchId\":\"%s\"%s%s", w->id, rest[0] == '}' ? "" : ",", rest);
    w->all->fn(w->all->context, w->id, payload);
  }
  wire_frame_done(&frame);
  return true;
}

static void on_end(void *context, const uint8_t *bytes, size_t length, const struct error *e) {
  (void)bytes;
  (void)length;
  struct watched *w = context;
  w->stream = NULL;
  w->all->streams--;
  if (e == NULL) {
    w->step = -1;  // another attempt begins anew
    w->tries = TRIES_UNKNOWN;
  } else if (e->code == ERR_FORBIDDEN) {  // no match's fault, and none of the others would fare better
    log_warn("the executor shows no frames", "match", w->id, "error", e->text);
    return;
  } else if (w->tries == 0) {
    return;
  } else {
    w->tries--;
  }
  timer_set(w->again, e != NULL && e->code == ERR_BUSY ? BUSY_MS : AGAIN_MS);
}

static void on_again(void *context) {
  open_stream(context);
}

static void open_stream(struct watched *w) {
  struct match_frames *f = w->all;
  if (w->stream != NULL || f->app->settings->executor_url == NULL) return;
  if (f->streams >= STREAMS_MAX) {
    timer_set(w->again, BUSY_MS);
    return;
  }
  size_t length = 0;
  cleanup_free uint8_t *request = wire_encode_frames_request(w->id, &length);
  f->streams++;
  const struct grpc_peer executor = {f->app->settings->executor_url, f->app->settings->executor_token};
  w->stream = grpc_stream_start(f->app->http, &executor, EXECUTOR_STREAM_FRAMES, request, length, WIRE_FRAME_MAX,
                                IDLE_MS, on_frame, on_end, w);
}

struct match_frames *match_frames_new(struct app *app, match_frame_fn *fn, void *context) {
  struct match_frames *f = mem_alloc(sizeof *f);
  f->app = app;
  f->fn = fn;
  f->context = context;
  f->watched = map_new(watched_free);
  return f;
}

void match_frames_free(struct match_frames *f) {
  if (f == NULL) return;
  map_free(f->watched);
  free(f);
}

void match_frames_watch(struct match_frames *f, const char *match_id, bool wanted) {
  if (!wanted) {
    map_remove(f->watched, match_id);
    return;
  }
  if (f->app->settings->executor_url == NULL || map_get(f->watched, match_id) != NULL) return;
  const size_t size = strlen(match_id) + 1;
  struct watched *w = mem_alloc(sizeof *w + size);
  w->all = f;
  w->tries = TRIES_UNKNOWN;
  w->step = -1;
  w->again = timer_new(f->app->loop, on_again, w);
  memcpy(w->id, match_id, size);
  map_put(f->watched, match_id, w);
  open_stream(w);
}

void match_frames_note(struct match_frames *f, const char *match_id, bool running) {
  struct watched *w = map_get(f->watched, match_id);
  if (w == NULL) return;
  w->tries = running ? TRIES_RUNNING : 0;
  if (running) open_stream(w);
}
