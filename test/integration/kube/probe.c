// usage: kube-probe cache NAMESPACE [PAGE_LIMIT] [SELECTOR]
//        kube-probe lease NAMESPACE NAME IDENTITY
//        kube-probe event NAMESPACE
// The API server is the one that KUBECONFIG names.
#include "probe.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "io/stop.h"

enum { INPUT_MAX = 64 * 1024 };

const struct kube_kind probe_configmap = {"", "v1", "configmaps", "ConfigMap", false};

static struct stop *stop;
static uv_pipe_t input;
static struct str input_text;
static bool ending;

void tell(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  putchar('\n');
  fflush(stdout);
}

void tell_error(const char *what, const char *name, const struct error *e) {
  tell("error %s %s %s %s", what, name, error_name(e->code), e->text);
}

static void tell_metrics(struct probe *p) {
  struct str text = STR_INIT(100 * 1024);
  metrics_print(p->metrics, &text);
  char *position = NULL;
  for (char *line = strtok_r(text.data, "\n", &position); line != NULL; line = strtok_r(NULL, "\n", &position))
    if (line[0] != '#') tell("metric %s", line);
  str_done(&text);
  tell("metrics-end");
}

static void begin_end(struct probe *p) {
  if (ending) return;
  ending = true;
  uv_close((uv_handle_t *)&input, NULL);
  p->finish(p);
}

void probe_end(struct probe *p) {
  kube_client_free(p->client);
  http_free(p->http);
  metrics_free(p->metrics);
  stop_free(stop);
  str_done(&input_text);
}

static void take_line(struct probe *p, char *line) {
  const char *words[WORDS_MAX] = {"", "", "", ""};
  size_t count = 0;
  char *position = NULL;
  for (char *word = strtok_r(line, " ", &position); word != NULL; word = strtok_r(NULL, " ", &position))
    if (count < WORDS_MAX) words[count++] = word;
  if (strcmp(words[0], "quit") == 0)
    begin_end(p);
  else if (strcmp(words[0], "metrics") == 0)
    tell_metrics(p);
  else if (!p->command(p, words))
    tell("unknown command");
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret) {
  (void)handle, (void)wanted;
  static char room[4096];
  *ret = uv_buf_init(room, sizeof room);
}

static void on_input(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
  struct probe *p = stream->data;
  if (length < 0) {
    begin_end(p);
    return;
  }
  str_add_bytes(&input_text, buffer->base, (size_t)length);
  for (char *end; !ending && input_text.length > 0 && (end = strchr(input_text.data, '\n')) != NULL;) {
    cleanup_free char *line = mem_strndup(input_text.data, (size_t)(end - input_text.data));
    str_drop_front(&input_text, strlen(line) + 1);
    take_line(p, line);
  }
}

static void on_stop(void *context) {
  begin_end(context);
}

static void start_input(struct probe *p) {
  input_text = STR_INIT(INPUT_MAX);
  input.data = p;
  uv_pipe_init(&p->loop, &input, 0);
  uv_pipe_open(&input, 0);
  uv_read_start((uv_stream_t *)&input, on_room, on_input);
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: see probe.c\n"), 2;
  log_setup(LOG_DEBUG, LOG_TEXT);
  struct error e = {0};
  struct kube_config *config = kube_config_load(&e);
  if (config == NULL) return fprintf(stderr, "%s\n", e.text), 1;

  struct probe p = {.namespace = argv[2]};
  for (int i = 0; i < WORDS_MAX; i++) p.arguments[i] = i + 3 < argc ? argv[i + 3] : "";
  uv_loop_init(&p.loop);
  p.http = http_new(&p.loop);
  p.metrics = metrics_new();
  p.client = kube_client_new(p.http, config, p.metrics);
  stop = stop_new(&p.loop, on_stop, &p);
  if (strcmp(argv[1], "cache") == 0)
    cache_probe_start(&p);
  else if (strcmp(argv[1], "lease") == 0)
    lease_probe_start(&p);
  else
    event_probe_start(&p);
  start_input(&p);
  uv_run(&p.loop, UV_RUN_DEFAULT);
  int left = uv_loop_close(&p.loop);
  tell("end");
  return left == 0 ? 0 : 3;  // a handle that nobody closed
}
