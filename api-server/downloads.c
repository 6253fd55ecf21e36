#include "downloads.h"

#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"
#include "io/http.h"

#include "app.h"
#include "blobs.h"
#include "settings.h"
#include "upload_kind.h"

enum { AT_ONCE = 8, TIMEOUT_MS = 60000, IDLE_MS = 15000, CIDRS_MAX = 64, CIDR_TEXT_MAX = 64 };

struct downloads {
  struct app *app;
  struct http *http;  // of its own: a connection that others opened was not judged
  struct cidr allowed[CIDRS_MAX];
  struct http_guard guard;
  struct download *running;
  unsigned count;
};

struct download {
  struct downloads *d;
  struct download *next, *previous;
  struct http_request *request;
  struct blob_writer *writer;
  char head[UPLOAD_HEAD];
  size_t head_length;
  download_done_fn *done;
  void *context;
};

// ---- lifetime ------------------------------------------------------------------------------------

static bool read_networks(struct downloads *d, const char *list) {
  for (; list && *list; list += strspn(list, ", ")) {
    char one[CIDR_TEXT_MAX];
    size_t length = strcspn(list, ", ");
    if (length == 0) continue;
    if (length >= sizeof one || d->guard.allowed_count == CIDRS_MAX) return false;
    memcpy(one, list, length);
    one[length] = '\0';
    if (!cidr_parse(one, &d->allowed[d->guard.allowed_count++])) return false;
    list += length;
  }
  return true;
}

struct downloads *downloads_new(struct app *app, struct error *e) {
  struct downloads *d = mem_alloc(sizeof *d);
  d->app = app;
  d->guard.allowed = d->allowed;
  if (!read_networks(d, app->settings->fetch_allow_cidrs)) {
    error_set(e, ERR_INVALID, "FETCH_ALLOW_CIDRS must be a comma-separated list of networks such as 10.0.0.0/8");
    free(d);
    return NULL;
  }
  d->http = http_new(app->loop);
  return d;
}

static void download_free(struct download *w) {
  if (w->previous) w->previous->next = w->next;
  if (w->next) w->next->previous = w->previous;
  if (w->d->running == w) w->d->running = w->next;
  w->d->count--;
  free(w);
}

void downloads_free(struct downloads *d) {
  if (!d) return;
  while (d->running) {
    struct download *w = d->running;
    http_cancel(w->request);
    if (w->writer) blob_abandon(w->writer);
    download_free(w);
  }
  http_free(d->http);
  free(d);
}

// ---- words ---------------------------------------------------------------------------------------

static void judge_status(int status, struct error *e) {
  if (status == 401 || status == 403)
    error_set(e, ERR_FORBIDDEN,
              "codeUrl cannot be read: its server answered with status %d. Make it public, or upload "
              "the file.",
              status);
  else if (status == 404 || status == 410)
    error_set(e, ERR_INVALID, "Nothing is at codeUrl (status %d).", status);
  else
    error_set(e, ERR_INVALID, "codeUrl cannot be read: its server answered with status %d. Upload the file instead.",
              status);
}

// What went wrong on the way, as the author's and not the arena's: the URL is theirs.
static void judge_problem(const struct error *problem, struct error *e) {
  switch (problem->code) {
    case ERR_FORBIDDEN:
      error_set(e, ERR_INVALID, "codeUrl leads to an address that is private, local or reserved. Use a public server.");
      break;
    case ERR_TIMEOUT: error_set(e, ERR_INVALID, "codeUrl's server is too slow. Upload the file instead."); break;
    default: error_set(e, ERR_INVALID, "codeUrl cannot be reached. Upload the file instead."); break;
  }
}

// ---- on its way ----------------------------------------------------------------------------------

static void fail(struct download *w, const struct error *e) {
  if (w->writer) blob_abandon(w->writer);
  w->done(w->context, NULL, 0, NULL, 0, e);
  download_free(w);
}

static void kept(void *context, const char *sha256, int64_t size, const struct error *e) {
  struct download *w = context;
  w->writer = NULL;
  if (e) {
    fail(w, e);
    return;
  }
  w->done(w->context, sha256, size, w->head, w->head_length, NULL);
  download_free(w);
}

static void on_ready(void *context) {
  struct download *w = context;
  if (w->request) http_pause(w->request, false);
}

static bool on_data(void *context, const char *bytes, size_t length) {
  struct download *w = context;
  size_t room = sizeof w->head - w->head_length, n = length < room ? length : room;
  memcpy(w->head + w->head_length, bytes, n);
  w->head_length += n;
  if (!blob_write(w->writer, bytes, length)) http_pause(w->request, true);
  return blob_problem(w->writer) == NULL;
}

static void on_done(void *context, const struct http_response *response, const struct error *problem) {
  struct download *w = context;
  struct error e;
  w->request = NULL;
  const struct error *own = blob_problem(w->writer);
  if (own) {
    e = *own;
    if (e.code == ERR_TOO_LARGE)
      error_set(&e, ERR_TOO_LARGE, "What is at codeUrl is larger than %lld bytes.",
                (long long)w->d->app->settings->max_upload_bytes);
    fail(w, &e);
  } else if (problem) {
    log_info("code could not be downloaded", "error", problem->text);
    judge_problem(problem, &e);
    fail(w, &e);
  } else if (response->status != 200) {
    judge_status(response->status, &e);
    fail(w, &e);
  } else {
    blob_finish(w->writer, kept, w);
  }
}

void download_start(struct downloads *d, const char *url, download_done_fn *done, void *context) {
  struct error e;
  if (d->count >= AT_ONCE) {
    error_set(&e, ERR_BUSY, "Too many downloads are under way. Try again in a minute.");
    done(context, NULL, 0, NULL, 0, &e);
    return;
  }
  struct download *w = mem_alloc(sizeof *w);
  w->d = d;
  w->done = done;
  w->context = context;
  w->next = d->running;
  if (w->next) w->next->previous = w;
  d->running = w;
  d->count++;
  w->writer =
      blob_create(d->app->blobs, "application/octet-stream", (size_t)d->app->settings->max_upload_bytes, on_ready, w);
  w->request = http_start(d->http, &(struct http_options){
                                       .method = "GET",
                                       .url = url,
                                       .timeout = TIMEOUT_MS,
                                       .idle_timeout = IDLE_MS,
                                       .max_response = 64 << 10,
                                       .guard = &d->guard,
                                       .data = on_data,
                                       .done = on_done,
                                       .context = w,
                                   });
}
