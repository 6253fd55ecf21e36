#include "peer.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/memory.h"

enum { WATCHDOG_MS = 60000 };

struct peer {
  pid_t pid;
  int input;  // closing it ends the peer
  struct map *values;
};

static void run_child(const char *script, int input, int output) {
  const char *python = getenv("ARENA_PYTHON"), *folder = getenv("ARENA_TEST_SUPPORT");
  char path[4096];
  snprintf(path, sizeof(path), "%s/%s", folder ? folder : "test/support", script);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  if (!python) python = "python3";
  execlp(python, python, path, (char *)NULL);  // its own path as its name: how a virtual environment is found
  perror("cannot start python");
  _exit(127);
}

static bool read_values(struct peer *p, FILE *f) {
  char line[4096];
  while (fgets(line, sizeof(line), f)) {
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, "ready") == 0) return true;
    char *space = strchr(line, ' ');
    if (!space) continue;
    *space = '\0';
    map_put(p->values, line, mem_strdup(space + 1));
  }
  return false;
}

struct peer *peer_start(const char *script) {
  int input[2], output[2];
  if (pipe2(input, O_CLOEXEC) || pipe2(output, O_CLOEXEC)) fail_msg("no pipe");
  struct peer *p = mem_alloc(sizeof(*p));
  p->values = map_new(free);
  p->pid = fork();
  if (p->pid == 0) run_child(script, input[0], output[1]);
  close(input[0]);
  close(output[1]);
  p->input = input[1];
  FILE *f = fdopen(output[0], "r");
  bool ready = read_values(p, f);
  fclose(f);
  if (!ready) fail_msg("%s did not start: has the interpreter in ARENA_PYTHON what it imports?", script);
  return p;
}

void peer_stop(struct peer *p) {
  if (!p) return;
  close(p->input);
  waitpid(p->pid, NULL, 0);
  map_free(p->values);
  free(p);
}

const char *peer_value(const struct peer *p, const char *name) {
  const char *value = map_get(p->values, name);
  if (!value) fail_msg("the peer gave no \"%s\"", name);
  return value;
}

static void on_watchdog(uv_timer_t *timer) {
  *(bool *)timer->data = true;
}

static void on_closed(uv_handle_t *handle) {
  free(handle);
}

void loop_until(uv_loop_t *loop, const bool *done) {
  bool late = false;
  uv_timer_t *watchdog = mem_alloc(sizeof(*watchdog));
  uv_timer_init(loop, watchdog);
  watchdog->data = &late;
  uv_timer_start(watchdog, on_watchdog, WATCHDOG_MS, 0);
  uv_unref((uv_handle_t *)watchdog);
  bool alive = true;
  while (!*done && !late && alive) alive = uv_run(loop, UV_RUN_ONCE) != 0;
  uv_close((uv_handle_t *)watchdog, on_closed);
  if (late) fail_msg("still waiting after %d ms", WATCHDOG_MS);
  if (!*done) fail_msg("nothing is left on the loop, and it is not done");
}

void loop_end(uv_loop_t *loop) {
  uv_run(loop, UV_RUN_DEFAULT);
  if (uv_loop_close(loop) != 0) fail_msg("a handle was forgotten");
}
