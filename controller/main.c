// The controller: settings, one loop, the caches, the lease, the probes, and a
// clean end.
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

#include "base/log.h"
#include "base/memory.h"
#include "io/probe_server.h"
#include "io/timer.h"
#include "kube/lease.h"

#include "environments.h"
#include "manager.h"

// Who leads lists once, after it has won, and sees all that was written before. Who does not lead by then lists
// to be warm when its time comes.
enum { DRAIN_MS = 10 * 1000, DRAIN_STEP_MS = 50, WARM_UP_MS = 1000, TIDY_MS = 500 };

struct program {
  uv_loop_t loop;
  struct settings settings;
  struct metrics *metrics;
  struct http *http;
  struct kube_client *client;
  struct manager manager;
  struct environments *environments;
  struct lease *lease;
  struct probe_server *probes;
  struct timer *drain, *warm_up, *tidy;
  unsigned tidied;  // as many lists had been taken in then
  msec drain_until;
  uv_signal_t terminate, interrupt;
  bool started, stopping, leading;
  struct metric *leader;
};

// ---- probes
// ------------------------------------------------------------------------------------

static int probe(void *context, const char *path, struct str *ret) {
  struct program *p = context;
  if (text_equal(path, "/healthz")) {
    str_add(ret, "ok\n");
    return 200;
  }
  if (text_equal(path, "/readyz")) {
    const bool ready = manager_is_synced(&p->manager) && !p->stopping;
    str_add(ret, ready ? "ok\n" : p->stopping ? "stopping\n" : "caches are not synced yet\n");
    return ready ? 200 : 503;
  }
  if (text_equal(path, "/metrics")) {
    metrics_print(p->metrics, ret);
    metrics_print_process(ret);
    return 200;
  }
  str_add(ret, "there are /healthz, /readyz and /metrics\n");
  return 404;
}

// ---- the end
// -----------------------------------------------------------------------------------

static void close_handles(struct program *p) {
  timer_free(p->drain);
  timer_free(p->warm_up);
  timer_free(p->tidy);
  p->drain = p->warm_up = p->tidy = NULL;
  probe_server_free(p->probes);
  lease_free(p->lease);
  environments_free(p->environments);
  manager_done(&p->manager);
  kube_client_free(p->client);
  http_free(p->http);
  uv_close((uv_handle_t *)&p->terminate, NULL);
  uv_close((uv_handle_t *)&p->interrupt, NULL);
}

// Not from here: the client still stands on the answer that brought us.
static void released(void *context) {
  struct program *p = context;
  p->leading = false;
  timer_set(p->drain, 0);
}

static void drain(void *context) {
  struct program *p = context;
  if (!manager_is_idle(&p->manager) && clock_monotonic() < p->drain_until) {
    timer_set(p->drain, DRAIN_STEP_MS);
    return;
  }
  if (p->lease != NULL && p->leading) {
    lease_release(p->lease, released, p);
  } else {
    close_handles(p);
  }
}

static void on_signal(uv_signal_t *handle, int number) {
  struct program *p = handle->data;
  if (p->stopping) return;
  p->stopping = true;
  log_info("stopping: finishing what was begun", "signal", number == SIGTERM ? "SIGTERM" : "SIGINT");
  manager_stop(&p->manager);
  p->drain_until = clock_monotonic() + DRAIN_MS;
  timer_set(p->drain, 0);
}

// ---- memory
// -----------------------------------------------------------------------------------

// What a list was read from, and the keys that all its objects are looked at by, are more than what stays of them.
static void tidy(void *context) {
  struct program *p = context;
  timer_set(p->tidy, TIDY_MS);
  unsigned lists = 0;
  for (unsigned i = 0; i < CACHE_COUNT; i++) lists += cache_lists(p->manager.caches[i]);
  if (lists == p->tidied || manager_has_work(&p->manager)) return;
  p->tidied = lists;
  mem_trim();
}

// ---- leading
// -----------------------------------------------------------------------------------

static void start_caches(void *context) {
  struct program *p = context;
  if (!p->started && !p->stopping) manager_start(&p->manager);
  p->started = true;
}

static void lease_changed(void *context, bool leading) {
  struct program *p = context;
  metric_set(p->leader, "rl-arena-controller", leading ? 1 : 0);
  if (leading) {
    p->leading = true;
    log_info("leading", "identity", p->settings.pod_name);
    manager_act(&p->manager, p->lease ? lease_version(p->lease) : 0);
    start_caches(p);
    environments_start(p->environments);
    return;
  }
  if (!p->leading || p->stopping) return;
  // Another replica may act from now on. Ending at once is the only safe
  // answer.
  log_error("leadership lost, ending");
  exit(1);
}

// Asked about each write right before it leaves: after a pause (SIGSTOP, a frozen machine) of any length, what was
// begun before it stays here.
static bool may_write(void *context) {
  const struct program *p = context;
  return p->lease == NULL || lease_is_held(p->lease);
}

static void init_build_info(struct program *p) {
  p->leader =
      metrics_gauge(p->metrics, "leader_election_master_status", "Whether this process leads: 1, or 0.", "name");
  metric_set(p->leader, "rl-arena-controller", 0);
}

static enum error_code start(struct program *p, struct error *e) {
  if (settings_load(&p->settings, e) != ERR_NONE) return e->code;
  log_setup((enum log_level)p->settings.log_level, (enum log_format)p->settings.log_format);
  struct kube_config *config = kube_config_load(e);
  if (config == NULL) return error_prefix(e, "cannot tell where the API server is");
  p->metrics = metrics_new();
  init_build_info(p);
  p->http = http_new(&p->loop);
  http_guard(p->http, may_write, p);
  p->client = kube_client_new(p->http, config, p->metrics);
  manager_init(&p->manager, &p->loop, &p->settings, p->client, p->http, p->metrics);
  p->environments = environments_new(&p->manager, p->http);
  p->drain = timer_new(&p->loop, drain, p);
  p->probes = probe_server_new(&p->loop, p->settings.listen_address, probe, p, e);
  if (p->probes == NULL) return error_prefix(e, "LISTEN_ADDRESS %s", p->settings.listen_address);
  uv_signal_init(&p->loop, &p->terminate);
  uv_signal_init(&p->loop, &p->interrupt);
  p->terminate.data = p->interrupt.data = p;
  uv_signal_start(&p->terminate, on_signal, SIGTERM);
  uv_signal_start(&p->interrupt, on_signal, SIGINT);
  p->warm_up = timer_new(&p->loop, start_caches, p);
  p->tidy = timer_new(&p->loop, tidy, p);
  timer_set(p->tidy, TIDY_MS);
  if (p->settings.leader_elect) {
    timer_set(p->warm_up, WARM_UP_MS);
    p->lease = lease_new(p->client, &p->loop, p->settings.pod_namespace, "rl-arena-controller", p->settings.pod_name,
                         lease_changed, p);
    p->manager.lease = p->lease;
    lease_start(p->lease);
  } else {
    lease_changed(p, true);
  }
  log_info("started", "namespace", p->settings.namespace, "executor", p->settings.executor_url, "registry",
           p->settings.registry);
  return ERR_NONE;
}

int main(void) {
  static struct program p;
  struct error e = {0};
  uv_loop_init(&p.loop);
  if (start(&p, &e) != ERR_NONE) {
    fprintf(stderr, "controller: %s\n", e.text);
    return 2;
  }
  uv_run(&p.loop, UV_RUN_DEFAULT);
  uv_loop_close(&p.loop);
  metrics_free(p.metrics);
  settings_done(&p.settings);
  log_info("ended");
  return 0;
}
