#include "io/http.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

#include "http_private.h"

// One socket of libcurl's on the loop.
struct poll {
  uv_poll_t handle;
  struct http *h;
  curl_socket_t socket;
  int events;
};

// Connections kept, those at work among them: seven watches and what four work queues do at a time.
enum { KEPT_CONNECTIONS = 96, GRPC_MESSAGE_ROOM = 4096 };

static void destroy_client(struct http *h);

// ---- requests: in and out of the list and of libcurl ----

static void link_request(struct http *h, struct http_request *r) {
  r->next = h->requests;
  if (r->next) r->next->previous = r;
  h->requests = r;
}

// Out of libcurl and of the list: nothing is called about it any more.
static void detach(struct http_request *r) {
  struct http *h = r->h;
  if (r->state == HTTP_RUNNING) {
    // Amid its transfer: the next request would find a connection that may be dead, and only an HTTP/1.1 one is closed
    // unasked. After its end this changes nothing.
    curl_easy_setopt(r->easy, CURLOPT_FORBID_REUSE, 1L);
    curl_multi_remove_handle(h->multi, r->easy);
  }
  r->state = HTTP_DONE;
  timer_free(r->idle);
  timer_free(r->deadline);
  r->idle = r->deadline = NULL;
  if (r->previous) r->previous->next = r->next;
  if (r->next) r->next->previous = r->previous;
  if (h->requests == r) h->requests = r->next;
  r->next = r->previous = NULL;
}

static void free_request(struct http_request *r) {
  curl_easy_cleanup(r->easy);
  curl_slist_free_all(r->headers);
  str_done(&r->body);
  str_done(&r->grpc_message);
  free(r->method);
  free(r->url);
  free(r);
}

static void run_request(struct http_request *r) {
  r->state = HTTP_RUNNING;
  CURLMcode result = curl_multi_add_handle(r->h->multi, r->easy);
  if (result == CURLM_OUT_OF_MEMORY) mem_must(NULL);
  assert(result == CURLM_OK);
}

// Calls `done` and frees the request. `e` NULL: a whole answer came.
static void finish(struct http_request *r, struct error *e) {
  detach(r);
  struct http_response response = http_response_of(r);
  if (e) {
    http_name_error(r, e);
    r->done(r->context, &response, e);
  } else {
    r->done(r->context, &response, NULL);
  }
  free_request(r);
}

// ---- entries from the loop ----

static void leave(struct http *h) {
  h->busy--;
  if (h->dead && h->busy == 0) destroy_client(h);
}

// What was started or cancelled while libcurl was on the stack.
static void catch_up(struct http *h) {
  h->unsettled = false;
  for (struct http_request *r = h->requests, *next; r; r = next) {
    next = r->next;
    if (r->cancelled) {
      detach(r);
      free_request(r);
    } else if (r->state == HTTP_WAITING && !r->early) {
      run_request(r);
    }
  }
}

// Lets libcurl work, then reports what has ended. Completions are read whether or not a transfer is
// left running: the last one may have ended by its timeout.
static void drive(struct http *h, curl_socket_t socket, int events) {
  int running;
  h->busy++;
  h->in_curl = true;
  curl_multi_socket_action(h->multi, socket, events, &running);
  h->in_curl = false;
  if (h->unsettled && !h->dead) catch_up(h);

  CURLMsg *message;
  int left;
  while (!h->dead && (message = curl_multi_info_read(h->multi, &left)) != NULL) {
    if (message->msg != CURLMSG_DONE) continue;
    struct http_request *r = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &r);
    struct error e;
    finish(r, http_result_to_error(r, message->data.result, &e) == ERR_NONE ? NULL : &e);
  }
  leave(h);
}

static void on_timer(uv_timer_t *timer) {
  drive(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_ready(uv_poll_t *handle, int status, int events) {
  struct poll *p = handle->data;
  int flags = 0;
  if (status < 0) {
    // A reset, for which libuv has stopped the polling. libcurl is to find it by reading: then it repeats
    // a request that met a kept connection's end, which it does not when it is told of an error.
    flags = CURL_CSELECT_IN | CURL_CSELECT_OUT;
    uv_poll_start(handle, p->events, on_ready);
  }
  if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
  drive(p->h, p->socket, flags);
}

static void on_early(void *context) {
  struct http *h = context;
  h->busy++;
  // From the start after each callback: it may have freed any other request.
  for (struct http_request *r = h->requests; r && !h->dead;) {
    if (!r->early) {
      r = r->next;
      continue;
    }
    finish(r, &r->problem);
    r = h->requests;
  }
  leave(h);
}

static void give_up(struct http_request *r, const char *what, msec after) {
  struct http *h = r->h;
  struct error e;
  error_set(&e, ERR_TIMEOUT, "%s %lld ms", what, (long long)after);
  h->busy++;
  finish(r, &e);
  leave(h);
}

static void on_idle(void *context) {
  struct http_request *r = context;
  give_up(r, "nothing received for", r->idle_timeout);
}

// Not libcurl's own timeout, which keeps an HTTP/2 connection for the next request.
static void on_deadline(void *context) {
  struct http_request *r = context;
  give_up(r, "no whole answer within", r->timeout);
}

// ---- what libcurl asks of the loop ----

static int on_timer_wanted(CURLM *multi, long timeout_ms, void *user) {
  (void)multi;
  struct http *h = user;
  if (!h->timer) return 0;
  if (timeout_ms < 0)
    uv_timer_stop(h->timer);
  else
    uv_timer_start(h->timer, on_timer, (uint64_t)timeout_ms, 0);
  return 0;
}

static void on_closed(uv_handle_t *handle) {
  free(handle);
}

static struct poll *poll_new(struct http *h, curl_socket_t socket) {
  struct poll *p = mem_alloc(sizeof(*p));
  p->h = h;
  p->socket = socket;
  p->handle.data = p;
  int problem = uv_poll_init_socket(h->loop, &p->handle, socket);
  if (problem) {
    log_error("a socket cannot be polled", "error", uv_strerror(problem));
    abort();
  }
  curl_multi_assign(h->multi, socket, p);
  return p;
}

static int on_socket_wanted(CURL *easy, curl_socket_t socket, int what, void *user, void *socket_user) {
  (void)easy;
  struct http *h = user;
  struct poll *p = socket_user;
  if (what == CURL_POLL_REMOVE) {
    if (!p) return 0;
    curl_multi_assign(h->multi, socket, NULL);
    static_assert(offsetof(struct poll, handle) == 0, "on_closed frees the handle's address");
    uv_close((uv_handle_t *)&p->handle, on_closed);
    return 0;
  }
  if (!p) p = poll_new(h, socket);
  p->events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
  uv_poll_start(&p->handle, p->events, on_ready);
  return 0;
}

// ---- the client ----

struct http *http_new(uv_loop_t *loop) {
  signal(SIGPIPE, SIG_IGN);  // a peer that closes early is an error of one request
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) mem_must(NULL);
  struct http *h = mem_alloc(sizeof(*h));
  h->loop = loop;
  h->multi = mem_must(curl_multi_init());
  h->timer = mem_alloc(sizeof(*h->timer));
  uv_timer_init(loop, h->timer);
  h->timer->data = h;
  h->early = timer_new(loop, on_early, h);
  curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
  curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
  curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
  curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
  // One stream at a time on each connection: of several, libcurl 7.88 now and then leaves the end of a large one
  // unread, and a list of 10,000 objects came to nothing. How many connections there are is the callers' number.
  curl_multi_setopt(h->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 1L);
  curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
  return h;
}

void http_guard(struct http *h, http_may_fn *may, void *context) {
  h->may = may;
  h->may_context = context;
}

static void destroy_client(struct http *h) {
  while (h->requests) {
    struct http_request *r = h->requests;
    detach(r);
    free_request(r);
  }
  curl_multi_cleanup(h->multi);
  uv_close((uv_handle_t *)h->timer, on_closed);
  h->timer = NULL;
  timer_free(h->early);
  free(h);
  curl_global_cleanup();
}

void http_free(struct http *h) {
  if (!h) return;
  if (h->busy == 0) {
    destroy_client(h);
    return;
  }
  // From inside a callback: silent from now on, freed when the callback has returned.
  h->dead = true;
  for (struct http_request *r = h->requests; r; r = r->next) r->cancelled = true;
}

struct http_request *http_start(struct http *h, const struct http_options *o) {
  struct http_request *r = mem_alloc(sizeof(*r));
  r->h = h;
  r->method = mem_strdup(o->method);
  r->url = mem_strdup(o->url);
  r->body = STR_INIT(o->max_response ? o->max_response : HTTP_DEFAULT_MAX);
  r->grpc_message = STR_INIT(GRPC_MESSAGE_ROOM);
  r->grpc_status = -1;
  r->guard = o->guard;
  r->timeout = o->timeout == 0 ? HTTP_DEFAULT_TIMEOUT : o->timeout;
  r->data = o->data;
  r->done = o->done;
  r->context = o->context;
  http_setup(r, o);
  link_request(h, r);
  if (r->early) {
    timer_set(h->early, 0);
    return r;
  }
  if (o->idle_timeout > 0) {
    r->idle_timeout = o->idle_timeout;
    r->idle = timer_new(h->loop, on_idle, r);
    timer_set(r->idle, r->idle_timeout);
  }
  if (r->timeout > 0) {
    r->deadline = timer_new(h->loop, on_deadline, r);
    timer_set(r->deadline, r->timeout);
  }
  if (h->in_curl)
    h->unsettled = true;
  else
    run_request(r);
  return r;
}

void http_pause(struct http_request *r, bool paused) {
  if (r->state != HTTP_RUNNING) return;
  struct http *h = r->h;
  bool outside = !h->in_curl;
  h->busy++;
  h->in_curl = true;
  curl_easy_pause(r->easy, paused ? CURLPAUSE_RECV : CURLPAUSE_CONT);
  if (outside) {
    h->in_curl = false;
    if (h->unsettled && !h->dead) catch_up(h);
  }
  leave(h);
}

void http_cancel(struct http_request *r) {
  if (!r || r->state == HTTP_DONE) return;  // DONE: from inside its own `done`, which frees it
  if (r->h->in_curl) {
    r->cancelled = r->h->unsettled = true;
    return;
  }
  detach(r);
  free_request(r);
}
