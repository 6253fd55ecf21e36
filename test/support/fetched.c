#include "fetched.h"

#include <stdio.h>

void fetched_on_done(void *context, const struct http_response *response, const struct error *e) {
  struct fetched *f = context;
  f->calls++;
  f->done = true;
  f->code = e ? e->code : ERR_NONE;
  if (e) f->error = *e;
  f->status = response->status;
  f->retry_after_ms = response->retry_after_ms;
  f->seconds = response->seconds;
  snprintf(f->etag, sizeof(f->etag), "%s", response->etag);
  str_add_bytes(&f->body, response->body, response->length);
}

bool fetched_on_data(void *context, const char *bytes, size_t length) {
  struct fetched *f = context;
  str_add_bytes(&f->pieces, bytes, length);
  f->piece_count++;
  return true;
}

struct http_request *fetched_start(struct fetched *f, struct http *h, struct http_options o, bool stream) {
  o.done = fetched_on_done;
  o.context = f;
  if (stream) o.data = fetched_on_data;
  if (!o.method) o.method = "GET";
  return http_start(h, &o);
}

void fetched_done(struct fetched *f) {
  str_done(&f->body);
  str_done(&f->pieces);
}
