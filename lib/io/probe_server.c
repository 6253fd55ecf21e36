#include "io/probe_server.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "base/memory.h"

enum {
  CONNECTIONS_MAX = 64,
  CONNECTION_TIMEOUT_S = 10,
  CONNECTION_MEMORY = 16 * 1024,
  BODY_MAX = 4 * 1024 * 1024,
};

struct probe_server {
  struct MHD_Daemon *daemon;
  uv_poll_t poll;    // the daemon's epoll descriptor
  uv_timer_t timer;  // its next timeout
  int open;          // handles that are not closed yet
  probe_fn *fn;
  void *context;
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *body, size_t length) {
  struct MHD_Response *response =
      mem_must(MHD_create_response_from_buffer(length, (void *)body, MHD_RESPMEM_MUST_COPY));
  // Prometheus refuses an answer without its version; browsers and probes do not care.
  MHD_add_response_header(response, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  if (status == MHD_HTTP_METHOD_NOT_ALLOWED) MHD_add_response_header(response, "Allow", "GET");
  enum MHD_Result result = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return result;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **request) {
  (void)version, (void)upload;
  struct probe_server *s = user;
  static const char seen = 0;
  if (!*request) {  // first the headers alone; an answer is allowed at the next call
    *request = (void *)&seen;
    return MHD_YES;
  }
  if (*upload_size > 0) {  // a body says nothing here
    *upload_size = 0;
    return MHD_YES;
  }
  if (strcmp(method, "GET") != 0) {
    static const char text[] = "only GET\n";
    return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, text, strlen(text));
  }
  struct str body = STR_INIT(BODY_MAX);
  int status = s->fn(s->context, url, &body);
  if (body.failed) {
    str_clear(&body);
    status = MHD_HTTP_INTERNAL_SERVER_ERROR;
  }
  enum MHD_Result result = answer(connection, (unsigned)status, str_text(&body), body.length);
  str_done(&body);
  return result;
}

static void run(struct probe_server *s);

static void on_timer(uv_timer_t *timer) {
  run(timer->data);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
  (void)status, (void)events;
  run(poll->data);
}

static unsigned connections(const struct probe_server *s) {
  return MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

static void run(struct probe_server *s) {
  unsigned before = connections(s);
  MHD_run(s->daemon);
  // It listens again only at its next turn, which a connection that waits outside would not bring about.
  if (before >= CONNECTIONS_MAX && connections(s) < CONNECTIONS_MAX) MHD_run(s->daemon);
  MHD_UNSIGNED_LONG_LONG timeout;
  if (MHD_get_timeout(s->daemon, &timeout) == MHD_YES)
    uv_timer_start(&s->timer, on_timer, timeout, 0);
  else
    uv_timer_stop(&s->timer);
}

// "host:port" or "[host]:port" with numbers only; names have no business in a listening address.
static enum error_code parse_listen(const char *listen, struct sockaddr_storage *ret, struct error *e) {
  char host[INET6_ADDRSTRLEN] = "";
  const char *colon = strrchr(listen, ':');
  bool v6 = listen[0] == '[' && colon && colon[-1] == ']';
  size_t length = colon ? (size_t)(colon - listen) - (v6 ? 2 : 0) : 0;
  char *end = NULL;
  long port = colon && colon[1] >= '0' && colon[1] <= '9' ? strtol(colon + 1, &end, 10) : -1;
  if (length == 0 || length >= sizeof(host) || port < 0 || port > 65535 || *end)
    return error_set(e, ERR_INVALID, "listen address \"%s\": write it as 0.0.0.0:8080 or [::]:8080", listen);
  memcpy(host, listen + (v6 ? 1 : 0), length);
  memset(ret, 0, sizeof(*ret));
  int problem = v6 ? uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)ret)
                   : uv_ip4_addr(host, (int)port, (struct sockaddr_in *)ret);
  if (problem) return error_set(e, ERR_INVALID, "listen address \"%s\": %s", listen, uv_strerror(problem));
  return ERR_NONE;
}

struct probe_server *probe_server_new(uv_loop_t *loop, const char *listen, probe_fn *fn, void *context,
                                      struct error *e) {
  struct sockaddr_storage address;
  if (parse_listen(listen, &address, e) != ERR_NONE) return NULL;
  struct probe_server *s = mem_alloc(sizeof(*s));
  s->fn = fn;
  s->context = context;
  unsigned flags = MHD_USE_EPOLL | (address.ss_family == AF_INET6 ? MHD_USE_DUAL_STACK : 0);
  s->daemon =
      MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT,
                       (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT_S,
                       MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
  if (!s->daemon) {
    error_set(e, ERR_UNAVAILABLE, "cannot listen on %s (is the address taken?)", listen);
    free(s);
    return NULL;
  }
  uv_timer_init(loop, &s->timer);
  uv_poll_init(loop, &s->poll, MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
  s->timer.data = s->poll.data = s;
  s->open = 2;
  uv_poll_start(&s->poll, UV_READABLE, on_ready);
  return s;
}

int probe_server_port(const struct probe_server *s) {
  return MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

static void on_closed(uv_handle_t *handle) {
  struct probe_server *s = handle->data;
  if (--s->open == 0) free(s);
}

void probe_server_free(struct probe_server *s) {
  if (!s) return;
  uv_close((uv_handle_t *)&s->timer, on_closed);
  uv_close((uv_handle_t *)&s->poll, on_closed);  // before its descriptor is closed
  MHD_stop_daemon(s->daemon);
}
