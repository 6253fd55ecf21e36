// Many WebSockets that wait for one event: how long it takes until all of them have it.
//
//   listeners PORT COUNT TOPIC < tokens, one a line, used in turn
//
// Says "ready" when all are subscribed, then for each event "all FIRST LAST": when the first and the last of them had
// it, in nanoseconds of the monotonic clock. Ends when its input was closed and something comes, or by a signal.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  OPENING_MAX = 256,  // at once
  PER_ADDRESS = 250,  // sockets of one source address: 127.0.1.1, 127.0.1.2...
  TOKENS_MAX = 20000,
  TOKEN_MAX = 1024,
  CHUNK = 256 * 1024,
  HEAD_MAX = 14,
  PEEK = 160,  // of a message: its type stands at its beginning
  PONG = 0x8A,
  TEXT = 0x81,
};

enum step { OPENING, UPGRADING, SUBSCRIBING, LISTENING };

struct listener {
  int fd;
  enum step step;
  unsigned round;  // the last event that it had
  // the frame that is being read
  unsigned char head[HEAD_MAX];
  unsigned head_length;
  uint64_t left;  // of its payload
  char peek[PEEK];
  unsigned peek_length;
};

static struct listener *listeners;
static unsigned count, opened, opening, subscribed, had;
static unsigned round_number = 1;
static uint64_t first_ns, last_ns;
static int epoll;
static const char *topic;
static struct sockaddr_in server;
static char **tokens;
static unsigned token_count;

static void die(const char *what) {
  fprintf(stderr, "listeners: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// ---- what is sent ----------------------------------------------------------------------------------

static void send_all(const struct listener *l, const void *bytes, size_t length) {
  if (send(l->fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length) die("send");
}

// Masked with zeros, which changes nothing.
static void send_frame(const struct listener *l, unsigned char kind, const char *text) {
  unsigned char frame[256] = {kind, (unsigned char)(0x80 | strlen(text))};
  memcpy(frame + 6, text, strlen(text));
  send_all(l, frame, 6 + strlen(text));
}

static void send_upgrade(const struct listener *l) {
  char request[TOKEN_MAX + 512];
  int n = snprintf(request, sizeof request,
                   "GET /api/v1/ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "Authorization: Bearer %s\r\n\r\n",
                   tokens[(unsigned)(l - listeners) % token_count]);
  send_all(l, request, (size_t)n);
}

// ---- what comes ------------------------------------------------------------------------------------

static void heard(struct listener *l) {
  if (l->round == round_number) return;  // under its other name
  l->round = round_number;
  last_ns = now();
  if (had++ == 0) first_ns = last_ns;
  if (had < count) return;
  printf("all %llu %llu\n", (unsigned long long)first_ns, (unsigned long long)last_ns);
  fflush(stdout);
  had = 0;
  round_number++;
}

static bool says(const struct listener *l, const char *type) {
  char wanted[64];
  snprintf(wanted, sizeof wanted, "{\"type\":\"%s\"", type);
  return l->peek_length >= strlen(wanted) && memcmp(l->peek, wanted, strlen(wanted)) == 0;
}

static void frame_over(struct listener *l) {
  unsigned kind = l->head[0] & 0x0F;
  if (kind == 9) send_frame(l, PONG, "");
  if (kind == 8) {
    fprintf(stderr, "listeners: closed by the server: %.*s\n", (int)l->peek_length, l->peek);
    exit(1);
  }
  if (l->step == SUBSCRIBING && says(l, "subscribed")) {
    l->step = LISTENING;
    opening--;
    if (++subscribed == count) {
      puts("ready");
      fflush(stdout);
    }
  } else if (says(l, "error")) {
    fprintf(stderr, "listeners: %.*s\n", (int)l->peek_length, l->peek);
    exit(1);
  } else if (l->step == LISTENING && says(l, "leaderboard_update")) {
    heard(l);
  }
  l->head_length = l->peek_length = 0;
}

// How long the head is, as far as its bytes tell.
static unsigned head_size(const struct listener *l) {
  if (l->head_length < 2) return 2;
  return (l->head[1] & 0x7F) == 126 ? 4 : (l->head[1] & 0x7F) == 127 ? 10 : 2;
}

static void head_over(struct listener *l) {
  unsigned size = head_size(l);
  l->left = size == 2 ? l->head[1] & 0x7F : 0;
  for (unsigned i = 2; i < size; i++) l->left = l->left << 8 | l->head[i];
  if (l->left == 0) frame_over(l);
}

static void take(struct listener *l, const char *bytes, size_t length) {
  while (length > 0) {
    if (l->head_length < head_size(l)) {
      l->head[l->head_length++] = (unsigned char)*bytes++;
      length--;
      if (l->head_length >= 2 && l->head_length == head_size(l)) head_over(l);
      continue;
    }
    size_t part = length < l->left ? length : (size_t)l->left;
    for (size_t i = 0; i < part && l->peek_length < PEEK; i++) l->peek[l->peek_length++] = bytes[i];
    bytes += part;
    length -= part;
    l->left -= part;
    if (l->left == 0) frame_over(l);
  }
}

static void upgraded(struct listener *l, char *bytes, size_t length) {
  bytes[length] = '\0';
  const char *end = strstr(bytes, "\r\n\r\n");
  if (strncmp(bytes, "HTTP/1.1 101", 12) != 0 || !end) {
    fprintf(stderr, "listeners: %.400s\n", bytes);
    exit(1);
  }
  char text[200];
  snprintf(text, sizeof text, "{\"type\":\"subscribe\",\"topics\":[\"%s\"]}", topic);
  send_frame(l, TEXT, text);
  l->step = SUBSCRIBING;
  take(l, end + 4, length - (size_t)(end + 4 - bytes));
}

static void readable(struct listener *l) {
  static char chunk[CHUNK + 1];
  ssize_t n = recv(l->fd, chunk, CHUNK, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) die("the server ended a connection");
  if (l->step == UPGRADING)
    upgraded(l, chunk, (size_t)n);
  else
    take(l, chunk, (size_t)n);
}

// ---- opening ---------------------------------------------------------------------------------------

static void open_next(void) {
  struct listener *l = &listeners[opened];
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000101 + opened / PER_ADDRESS)};
  l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&own, sizeof own) != 0) die("socket");
  if (connect(l->fd, (struct sockaddr *)&server, sizeof server) != 0 && errno != EINPROGRESS) die("connect");
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = l};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, l->fd, &event) != 0) die("epoll_ctl");
  opened++;
  opening++;
}

static void connected(struct listener *l) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = l};
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, l->fd, &event) != 0) die("epoll_ctl");
  l->step = UPGRADING;
  send_upgrade(l);
}

static void read_tokens(void) {
  char line[TOKEN_MAX];
  tokens = calloc(TOKENS_MAX, sizeof *tokens);
  while (tokens && token_count < TOKENS_MAX && fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = '\0';
    tokens[token_count++] = strdup(line);
  }
  if (token_count == 0) die("no tokens");
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  count = (unsigned)atoi(argv[2]);
  topic = argv[3];
  server = (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct rlimit files = {count + 100, count + 100};
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) die("not so many files");
  read_tokens();
  listeners = calloc(count, sizeof *listeners);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (!listeners || epoll < 0) die("start");
  struct epoll_event events[512];
  for (;;) {
    while (opened < count && opening < OPENING_MAX) open_next();
    int n = epoll_wait(epoll, events, 512, -1);
    for (int i = 0; i < n; i++) {
      struct listener *l = events[i].data.ptr;
      if (l->step == OPENING)
        connected(l);
      else
        readable(l);
    }
  }
}
