#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

enum { BACKLOG = 1024, ACCEPTS_A_TURN = 64, PAUSE_MS = 100 };

struct listener {
  uv_poll_t poll;
  uv_timer_t pause;  // after "too many open files"
  int open;          // handles that are not closed yet
  int fd;
  listener_fn *fn;
  void *context;
};

static void on_ready(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer) {
  struct listener *l = timer->data;
  uv_poll_start(&l->poll, UV_READABLE, on_ready);
}

static void describe(const struct sockaddr_storage *a, char ret[INET6_ADDRSTRLEN]) {
  ret[0] = '\0';
  if (a->ss_family == AF_INET) {
    inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, ret, INET6_ADDRSTRLEN);
    return;
  }
  const struct in6_addr *v6 = &((const struct sockaddr_in6 *)a)->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(v6))
    inet_ntop(AF_INET, v6->s6_addr + 12, ret, INET6_ADDRSTRLEN);
  else
    inet_ntop(AF_INET6, v6, ret, INET6_ADDRSTRLEN);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
  (void)status, (void)events;
  struct listener *l = poll->data;
  for (int i = 0; i < ACCEPTS_A_TURN && l->fd >= 0; i++) {
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    int fd = accept4(l->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) return;
      log_warn("no room for another connection", "error", strerror(errno));
      uv_poll_stop(&l->poll);
      uv_timer_start(&l->pause, on_pause_over, PAUSE_MS, 0);
      return;
    }
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    char address[INET6_ADDRSTRLEN];
    describe(&peer, address);
    l->fn(l->context, fd, address);
  }
}

// Numbers only; names have no business in a listening address.
static enum error_code parse(const char *listen, struct sockaddr_storage *ret, struct error *e) {
  char host[INET6_ADDRSTRLEN] = "";
  const char *colon = strrchr(listen, ':');
  bool v6 = listen[0] == '[' && colon && colon[-1] == ']';
  size_t length = colon ? (size_t)(colon - listen) - (v6 ? 2 : 0) : 0;
  char *end = NULL;
  long port = colon && colon[1] >= '0' && colon[1] <= '9' ? strtol(colon + 1, &end, 10) : -1;
  if (length == 0 || length >= sizeof(host) || port < 0 || port > 65535 || *end)
    return error_set(e, ERR_INVALID, "write it as 0.0.0.0:8080 or [::]:8080");
  memcpy(host, listen + (v6 ? 1 : 0), length);
  memset(ret, 0, sizeof(*ret));
  int problem = v6 ? uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)ret)
                   : uv_ip4_addr(host, (int)port, (struct sockaddr_in *)ret);
  return problem ? error_set(e, ERR_INVALID, "%s", uv_strerror(problem)) : ERR_NONE;
}

static int open_socket(const struct sockaddr_storage *address) {
  int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int yes = 1, no = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  bool v6 = address->ss_family == AF_INET6;
  if (v6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
  socklen_t size = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
  if (bind(fd, (const struct sockaddr *)address, size) == 0 && listen(fd, BACKLOG) == 0) return fd;
  int why = errno;
  close(fd);
  errno = why;
  return -1;
}

struct listener *listener_new(uv_loop_t *loop, const char *listen, listener_fn *fn, void *context, struct error *e) {
  struct sockaddr_storage address;
  if (parse(listen, &address, e) != ERR_NONE) return NULL;
  int fd = open_socket(&address);
  if (fd < 0) {
    error_set(e, ERR_UNAVAILABLE, "cannot listen there: %s", strerror(errno));
    return NULL;
  }
  struct listener *l = mem_alloc(sizeof(*l));
  l->fd = fd;
  l->fn = fn;
  l->context = context;
  l->open = 2;
  uv_poll_init(loop, &l->poll, fd);
  uv_timer_init(loop, &l->pause);
  l->poll.data = l->pause.data = l;
  uv_poll_start(&l->poll, UV_READABLE, on_ready);
  return l;
}

int listener_port(const struct listener *l) {
  struct sockaddr_storage own;
  socklen_t size = sizeof(own);
  if (getsockname(l->fd, (struct sockaddr *)&own, &size) != 0) return 0;
  return ntohs(own.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&own)->sin6_port
                                         : ((struct sockaddr_in *)&own)->sin_port);
}

static void on_closed(uv_handle_t *handle) {
  struct listener *l = handle->data;
  if (--l->open == 0) free(l);
}

void listener_free(struct listener *l) {
  if (!l) return;
  uv_close((uv_handle_t *)&l->poll, on_closed);
  uv_close((uv_handle_t *)&l->pause, on_closed);
  close(l->fd);
  l->fd = -1;
}
