// Server-streaming gRPC calls: messages as they come.
#include <string.h>

#include "base/memory.h"

#include "grpc_private.h"

struct grpc_stream {
  struct http_request *request;
  char *method;
  struct grpc_feed feed;
  struct error broken;  // what the feed could not take
  grpc_message_fn *each;
  grpc_done_fn *done;
  void *context;
};

// ---- messages out of bytes -----------------------------------------------------------------------

void grpc_feed_init(struct grpc_feed *f, size_t max_message, grpc_message_fn *each, void *context) {
  *f = (struct grpc_feed){
      .partial = STR_INIT(GRPC_FRAME_HEAD + max_message), .max_message = max_message, .each = each, .context = context};
}

void grpc_feed_done(struct grpc_feed *f) {
  str_done(&f->partial);
}

bool grpc_feed_is_between(const struct grpc_feed *f) {
  return f->partial.length == 0;
}

// How many bytes the message that begins here has in all, once its head is there.
static enum error_code measure(const struct grpc_feed *f, size_t *ret, struct error *e) {
  const uint8_t *head = (const uint8_t *)f->partial.data;
  const size_t size = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
  if (head[0] != 0) return error_set(e, ERR_INVALID, "a gRPC message is compressed");
  if (size > f->max_message)
    return error_set(e, ERR_TOO_LARGE, "a gRPC message is larger than %zu bytes", f->max_message);
  *ret = GRPC_FRAME_HEAD + size;
  return ERR_NONE;
}

enum error_code grpc_feed_push(struct grpc_feed *f, const char *bytes, size_t length, struct error *e) {
  while (length > 0) {
    size_t whole = GRPC_FRAME_HEAD;  // of the message, or of its head while that is not there
    if (f->partial.length >= GRPC_FRAME_HEAD && measure(f, &whole, e) != ERR_NONE) return e->code;
    const size_t missing = whole - f->partial.length, part = missing < length ? missing : length;
    str_add_bytes(&f->partial, bytes, part);
    bytes += part;
    length -= part;
    if (f->partial.length < GRPC_FRAME_HEAD) continue;
    if (measure(f, &whole, e) != ERR_NONE) return e->code;
    if (f->partial.length < whole) continue;
    const uint8_t *message = (const uint8_t *)f->partial.data + GRPC_FRAME_HEAD;
    if (!f->each(f->context, message, whole - GRPC_FRAME_HEAD))
      return error_set(e, ERR_CANCELLED, "no more messages are wanted");
    str_clear(&f->partial);
  }
  return ERR_NONE;
}

// ---- the call ------------------------------------------------------------------------------------

static bool on_message(void *context, const uint8_t *bytes, size_t length) {
  struct grpc_stream *s = context;
  return s->each(s->context, bytes, length);
}

static bool on_data(void *context, const char *bytes, size_t length) {
  struct grpc_stream *s = context;
  return grpc_feed_push(&s->feed, bytes, length, &s->broken) == ERR_NONE;
}

static void stream_free(struct grpc_stream *s) {
  grpc_feed_done(&s->feed);
  free(s->method);
  free(s);
}

static enum error_code judge(const struct grpc_stream *s, const struct http_response *response,
                             const struct error *problem, struct error *e) {
  if (s->broken.code != ERR_NONE) {
    *e = s->broken;
    return e->code;
  }
  if (response->grpc_status > 0) return grpc_status_to_error(response->grpc_status, response->grpc_message, e);
  if (problem != NULL) {
    *e = *problem;
    return e->code;
  }
  if (response->status != 200)
    return error_set(e, ERR_UNAVAILABLE, "HTTP status %d instead of a gRPC answer", response->status);
  if (response->grpc_status < 0 || !grpc_feed_is_between(&s->feed))
    return error_set(e, ERR_UNAVAILABLE, "the stream ended without a gRPC status");
  return ERR_NONE;
}

static void on_done(void *context, const struct http_response *response, const struct error *problem) {
  struct grpc_stream *s = context;
  s->request = NULL;
  grpc_passed(s->method);
  struct error e = {0};
  const enum error_code code = judge(s, response, problem, &e);
  s->done(s->context, NULL, 0, code == ERR_NONE ? NULL : &e);
  stream_free(s);
}

struct grpc_stream *grpc_stream_start(struct http *h, const struct grpc_peer *peer, const char *method,
                                      const uint8_t *message, size_t length, size_t max_message, msec idle_timeout,
                                      grpc_message_fn *each, grpc_done_fn *done, void *context) {
  struct grpc_stream *s = mem_alloc(sizeof *s);
  s->method = mem_strdup(method);
  s->each = each;
  s->done = done;
  s->context = context;
  grpc_feed_init(&s->feed, max_message, on_message, s);
  s->request =
      grpc_send(h, peer, method, message, length, 0,
                &(struct http_options){
                    .timeout = -1, .idle_timeout = idle_timeout, .data = on_data, .done = on_done, .context = s});
  return s;
}

void grpc_stream_cancel(struct grpc_stream *s) {
  if (s == NULL || s->request == NULL) return;  // no request: from inside its own `done`, which frees it
  grpc_abandon(s->method, s->request);
  stream_free(s);
}
