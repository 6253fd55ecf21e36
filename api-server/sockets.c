#include "sockets.h"

#include <errno.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <uv.h>

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"

#include "app.h"
#include "certificate.h"
#include "connection.h"
#include "listener.h"
#include "origins.h"
#include "server.h"
#include "settings.h"
#include "traffic.h"

enum {
  CHUNK = 64 * 1024,  // read or written at a time
  WRITES_A_TURN = 8,
  TICK_MS = 1000,
  TLS_SECONDS = 10,   // for the handshake
  SPARE_FILES = 128,  // descriptors for everything but connections
  GROUP_SIZE = 46,
};

#define RANDOM_DEVICE "/dev/urandom"

struct port {
  struct server_sockets *sockets;
  struct lws_vhost *vhost;
  struct listener *listener;
  bool internal, secure;
};

struct socket {
  struct server_sockets *sockets;
  struct lws *wsi;
  struct connection *connection;
  struct socket *before, *after;       // of all
  struct socket **due_at, *due_after;  // of those that are due; due_at NULL: it is not among them
  bool secure, writing;
  size_t unconfirmed;  // bytes that libwebsockets keeps a part of
  bool wants_read;
  char group[GROUP_SIZE];  // whose count it is in; "": nobody's
};

struct server_sockets {
  struct server *server;
  struct lws_context *context;
  struct port ports[2];
  struct certificate *certificate;
  struct socket *first;
  unsigned count, most, most_each;
  struct map *groups;  // address -> how many, as a pointer
  struct socket *due;  // these want to write: they do so before the loop waits again
  uv_prepare_t before_waiting;
  uv_timer_t tick;
  const char *address;  // of the socket that is being adopted
};

// ---- what a connection asks ------------------------------------------------------------------------

static void not_due(struct socket *s) {
  if (!s->due_at) return;
  *s->due_at = s->due_after;
  if (s->due_after) s->due_after->due_at = s->due_at;
  s->due_at = NULL;
}

// A socket nearly always takes what there is. To ask libwebsockets when it does costs a handful of epoll_ctl for each
// answer, so it is asked only where it knows better: of TLS, and after a part of the bytes.
static void want_write(void *socket) {
  struct socket *s = socket;
  if (!s->wsi || s->writing || s->due_at) return;
  if (s->secure) {
    lws_callback_on_writable(s->wsi);
    return;
  }
  s->due_at = &s->sockets->due;
  s->due_after = s->sockets->due;
  if (s->due_after) s->due_after->due_at = &s->due_after;
  s->sockets->due = s;
}

// While a part of our bytes waits inside libwebsockets it reads nothing, but would be told again and again that it
// could.
static void apply_reading(struct socket *s) {
  if (s->wsi) lws_rx_flow_control(s->wsi, s->wants_read && s->unconfirmed == 0);
}

static void read_wanted(void *socket, bool wanted) {
  struct socket *s = socket;
  s->wants_read = wanted;
  apply_reading(s);
}

static void shut(void *socket) {
  struct socket *s = socket;
  if (!s->wsi) return;
  SSL *tls = lws_get_ssl(s->wsi);
  if (tls) SSL_shutdown(tls);  // says that this was all
  shutdown(lws_get_socket_fd(s->wsi), SHUT_WR);
}

static void kill_socket(void *socket) {
  struct socket *s = socket;
  if (!s->wsi) return;
  lws_set_timeout(s->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
  lws_cancel_service(s->sockets->context);  // its timers are looked at after its own events alone
}

static const struct transport transport = {
    .want_write = want_write, .read = read_wanted, .shut = shut, .kill = kill_socket};

// ---- counting --------------------------------------------------------------------------------------

static intptr_t group_count(const struct server_sockets *s, const char *group) {
  return (intptr_t)map_get(s->groups, group);
}

static void group_add(struct server_sockets *s, const char *group, intptr_t change) {
  intptr_t count = group_count(s, group) + change;
  if (count > 0)
    map_put(s->groups, group, (void *)count);  // NOLINT(performance-no-int-to-ptr)
  else
    map_remove(s->groups, group);
}

static void show_count(const struct server_sockets *s) {
  traffic_connections(s->server->traffic, (int)s->count);
}

// ---- libwebsockets' side -----------------------------------------------------------------------------

static int adopted(struct lws *wsi, struct socket **slot) {
  struct port *port = lws_get_vhost_user(lws_get_vhost(wsi));
  struct server_sockets *all = port->sockets;
  struct socket *s = mem_alloc(sizeof(*s));
  s->sockets = all;
  s->wsi = wsi;
  s->wants_read = true;
  s->secure = port->secure;
  s->after = all->first;
  if (s->after) s->after->before = s;
  all->first = s;
  all->count++;
  struct peer peer = {.secure = port->secure, .internal = port->internal};
  snprintf(peer.address, sizeof(peer.address), "%s", all->address);
  if (!port->internal && !proxies_trust(all->server->proxies, peer.address)) {
    address_group(peer.address, s->group, sizeof(s->group));
    group_add(all, s->group, 1);
  }
  s->connection = connection_new(all->server, &transport, s, &peer);
  *slot = s;
  show_count(all);
  return 0;
}

static void closed(struct socket **slot) {
  struct socket *s = *slot;
  if (!s) return;
  *slot = NULL;
  s->wsi = NULL;
  not_due(s);
  struct server_sockets *all = s->sockets;
  if (s->before) s->before->after = s->after;
  if (s->after) s->after->before = s->before;
  if (all->first == s) all->first = s->after;
  all->count--;
  if (s->group[0]) group_add(all, s->group, -1);
  connection_gone(s->connection);
  free(s);
  show_count(all);
}

// Writes what there is; false: the socket is of no use any more.
static bool write_some(struct socket *s) {
  if (lws_partial_buffered(s->wsi)) {
    lws_callback_on_writable(s->wsi);
    return true;
  }
  if (s->unconfirmed > 0) {
    size_t sent = s->unconfirmed;
    s->unconfirmed = 0;
    apply_reading(s);
    connection_sent(s->connection, sent);
  }
  for (int i = 0; i < WRITES_A_TURN; i++) {
    size_t length = 0;
    const void *bytes = connection_next(s->connection, &length);
    if (!bytes) return true;
    if (length > CHUNK) length = CHUNK;
    if (lws_write(s->wsi, (unsigned char *)bytes, length, LWS_WRITE_RAW) < 0) return false;
    if (lws_partial_buffered(s->wsi)) {
      s->unconfirmed = length;
      apply_reading(s);
      lws_callback_on_writable(s->wsi);
      return true;
    }
    connection_sent(s->connection, length);
  }
  lws_callback_on_writable(s->wsi);
  return true;
}

// What a connection wants meanwhile is written here too.
static bool writable(struct socket *s) {
  s->writing = true;
  bool good = write_some(s);
  s->writing = false;
  return good;
}

static void on_before_waiting(uv_prepare_t *handle) {
  struct server_sockets *all = handle->data;
  for (struct socket *s; (s = all->due) != NULL;) {
    not_due(s);
    if (!writable(s)) kill_socket(s);
  }
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length) {
  struct socket **slot = user;
  switch (reason) {
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS: {
      struct port *port = lws_vhost_user((struct lws_vhost *)in);
      port->sockets->certificate =
          certificate_watch(port->sockets->server->app->loop, user, port->sockets->server->app->settings);
      return 0;
    }
    case LWS_CALLBACK_RAW_ADOPT: return adopted(wsi, slot);
    case LWS_CALLBACK_RAW_RX:
      if (!*slot) return -1;
      lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);  // the handshake's
      connection_receive((*slot)->connection, in, length);
      return 0;
    case LWS_CALLBACK_RAW_WRITEABLE: return *slot && writable(*slot) ? 0 : -1;
    case LWS_CALLBACK_RAW_CLOSE:
    case LWS_CALLBACK_WSI_DESTROY:
      if (slot) closed(slot);
      return 0;
    default: return 0;
  }
}

static const struct lws_protocols protocols[] = {
    {"http", on_event, sizeof(struct socket *), CHUNK, 0, NULL, CHUNK},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

static void on_log(int level, const char *line) {
  size_t length = strcspn(line, "\n");
  cleanup_free char *text = mem_strndup(line, length);
  if (level & LLL_ERR)
    log_warn("libwebsockets", "line", text);
  else
    log_debug("libwebsockets", "line", text);
}

// ---- new connections -------------------------------------------------------------------------------

static const char *refusal(const struct server_sockets *s, const struct port *port, const char *address) {
  if (s->count >= s->most) return "all";
  if (port->internal || proxies_trust(s->server->proxies, address)) return NULL;
  char group[GROUP_SIZE];
  address_group(address, group, sizeof(group));
  return group_count(s, group) >= (intptr_t)s->most_each ? "address" : NULL;
}

static void on_connection(void *context, int fd, const char *address) {
  struct port *port = context;
  struct server_sockets *s = port->sockets;
  const char *refused = refusal(s, port, address);
  if (refused) {
    traffic_refused_connection(s->server->traffic, refused);
    close(fd);
    return;
  }
  s->address = address;
  lws_sock_file_fd_type descriptor = {.sockfd = fd};
  int type = LWS_ADOPT_SOCKET | (port->secure ? LWS_ADOPT_ALLOW_SSL : 0);
  lws_adopt_descriptor_vhost(port->vhost, (lws_adoption_type)type, descriptor, "http", NULL);
  s->address = NULL;
}

static void on_tick(uv_timer_t *timer) {
  struct server_sockets *s = timer->data;
  msec now = clock_monotonic();
  for (struct socket *each = s->first, *next; each; each = next) {
    next = each->after;
    connection_tick(each->connection, now);
  }
}

// ---- the whole -------------------------------------------------------------------------------------

static enum error_code open_port(struct server_sockets *s, struct port *port, bool internal, struct error *e) {
  const struct settings *settings = s->server->app->settings;
  port->sockets = s;
  port->internal = internal;
  port->secure = !internal && settings->tls_cert_file;
  struct lws_context_creation_info info = {
      .port = CONTEXT_PORT_NO_LISTEN_SERVER,
      .vhost_name = internal ? "internal" : "public",
      .protocols = protocols,
      .user = port,
      .alpn = "http/1.1",
  };
  if (port->secure) {
    info.ssl_cert_filepath = settings->tls_cert_file;
    info.ssl_private_key_filepath = settings->tls_key_file;
    info.ssl_options_set = SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_RENEGOTIATION;
    info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
  }
  port->vhost = lws_create_vhost(s->context, &info);
  if (!port->vhost) return error_set(e, ERR_INVALID, "TLS_CERT_FILE and TLS_KEY_FILE are no certificate with its key");
  const char *listen = internal ? settings->internal_listen_address : settings->listen_address;
  port->listener = listener_new(s->server->app->loop, listen, on_connection, port, e);
  if (!port->listener) return error_prefix(e, "%s %s", internal ? "INTERNAL_LISTEN_ADDRESS" : "LISTEN_ADDRESS", listen);
  char number[LOG_NUMBER_SIZE];
  log_info("listening", "port", internal ? "internal" : "public", "number",
           log_number(listener_port(port->listener), number), "tls", port->secure ? "yes" : "no");
  return ERR_NONE;
}

static unsigned room_for_files(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
  }
  return limit.rlim_cur > 1000000 ? 1000000 : (unsigned)limit.rlim_cur;
}

struct server_sockets *sockets_new(struct server *server) {
  struct server_sockets *s = mem_alloc(sizeof(*s));
  const struct settings *settings = server->app->settings;
  s->server = server;
  s->groups = map_new(NULL);
  unsigned files = room_for_files();
  unsigned room = files > 2 * SPARE_FILES ? files - SPARE_FILES : files / 2;
  s->most = settings->connections_max < (int64_t)room ? (unsigned)settings->connections_max : room;
  s->most_each = (unsigned)settings->connections_per_address;
  uv_timer_init(server->app->loop, &s->tick);
  uv_prepare_init(server->app->loop, &s->before_waiting);
  s->tick.data = s->before_waiting.data = s;
  return s;
}

enum error_code sockets_open(struct server_sockets *s, struct error *e) {
  const struct app *app = s->server->app;
  void *loops[] = {app->loop};
  struct lws_context_creation_info info = {
      .port = CONTEXT_PORT_NO_LISTEN,
      .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                 LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN |
                 (app->settings->tls_cert_file ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0),
      .foreign_loops = loops,
      .pt_serv_buf_size = CHUNK,
      .timeout_secs = TLS_SECONDS,
      .fd_limit_per_thread = s->most + SPARE_FILES,
      .gid = -1,
      .uid = -1,
  };
  // What libwebsockets cannot begin without; when it finds out by itself it crashes over the loop, which is not its
  // own.
  if (access(RANDOM_DEVICE, R_OK) != 0)
    return error_set(e, ERR_INTERNAL, RANDOM_DEVICE " cannot be read: %s", strerror(errno));
  lws_set_log_level(LLL_ERR | LLL_WARN, on_log);
  s->context = lws_create_context(&info);
  if (!s->context)
    return error_set(e, ERR_INTERNAL, "libwebsockets does not start: is libwebsockets-evlib-uv installed?");
  if (open_port(s, &s->ports[0], false, e) != ERR_NONE) return e->code;
  if (open_port(s, &s->ports[1], true, e) != ERR_NONE) return e->code;
  uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
  uv_prepare_start(&s->before_waiting, on_before_waiting);
  return ERR_NONE;
}

void sockets_stop_listening(struct server_sockets *s) {
  for (unsigned i = 0; i < array_size(s->ports); i++) {
    listener_free(s->ports[i].listener);
    s->ports[i].listener = NULL;
  }
}

void sockets_drain(struct server_sockets *s) {
  for (struct socket *each = s->first, *next; each; each = next) {
    next = each->after;
    connection_drain(each->connection);
  }
}

unsigned sockets_count(const struct server_sockets *s) {
  return s->count;
}

void sockets_close(struct server_sockets *s) {
  sockets_stop_listening(s);
  certificate_free(s->certificate);
  s->certificate = NULL;
  uv_close((uv_handle_t *)&s->tick, NULL);
  uv_close((uv_handle_t *)&s->before_waiting, NULL);
  if (s->context) lws_context_destroy(s->context);
}

void sockets_free(struct server_sockets *s) {
  // The second time: with a loop of ours the first only begins.
  if (s->context) lws_context_destroy(s->context);
  map_free(s->groups);
  free(s);
}
