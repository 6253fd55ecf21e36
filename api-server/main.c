// The front: settings, one loop, PostgreSQL, the API server, two ports, and a clean end.
//
//   api-server           serves
//   api-server migrate   brings the database up to date, then ends
//   api-server openapi   prints the OpenAPI document
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/log.h"
#include "base/memory.h"
#include "io/db.h"
#include "io/http.h"
#include "io/metrics.h"
#include "io/timer.h"
#include "io/work.h"
#include "kube/client.h"

#include "app.h"
#include "auth.h"
#include "blobs.h"
#include "downloads.h"
#include "hub.h"
#include "migrate.h"
#include "mirror.h"
#include "openapi.h"
#include "rate_limits.h"
#include "reads.h"
#include "schema.h"
#include "server.h"
#include "settings.h"
#include "token_review.h"

// A request that is under way has so long to end; Kubernetes' grace is 30 s.
enum { DRAIN_MS = 15 * 1000, HASHES_MAX = 2, HASHES_WAITING = 32, DOCUMENT_MAX = 4 * 1024 * 1024 };

struct program {
  uv_loop_t loop;
  struct settings settings;
  struct app app;
  struct migrate *migrate;
  struct timer *end;
  uv_signal_t terminate, interrupt;
  bool signals;
  bool migrate_only, failed;
};

// ---- the end ---------------------------------------------------------------------------------------

// In the reverse order of what stands on what. Callbacks of what is freed do not come any more.
static void close_all(struct program *p) {
  struct app *app = &p->app;
  timer_free(p->end);
  p->end = NULL;
  migrate_cancel(p->migrate);
  p->migrate = NULL;
  server_free(app->server);
  if (app->mirror) mirror_free(app->mirror);
  if (app->hub) hub_free(app->hub);
  if (app->downloads) downloads_free(app->downloads);
  if (app->token_review) token_review_free(app->token_review);
  if (app->blobs) blobs_free(app->blobs);
  if (app->auth) auth_free(app->auth);
  if (app->reads) reads_free(app->reads);
  if (app->work) work_free(app->work);
  if (app->kube) kube_client_free(app->kube);
  if (app->db) db_free(app->db);
  if (app->http) http_free(app->http);
  if (!p->signals) return;
  uv_close((uv_handle_t *)&p->terminate, NULL);
  uv_close((uv_handle_t *)&p->interrupt, NULL);
}

static void end(void *context) {
  close_all(context);
}

// Not from inside of what is to be freed.
static void end_soon(void *context) {
  struct program *p = context;
  timer_set(p->end, 0);
}

static void mirror_has_stopped(void *context) {
  struct program *p = context;
  server_stop(p->app.server, DRAIN_MS, end_soon, p);
}

static void stop(struct program *p) {
  if (p->app.stopping) return;
  p->app.stopping = true;
  if (p->app.mirror)
    mirror_stop(p->app.mirror, mirror_has_stopped, p);
  else if (p->app.server)
    mirror_has_stopped(p);
  else
    end_soon(p);
}

static void on_signal(uv_signal_t *handle, int number) {
  struct program *p = handle->data;
  if (!p->app.stopping) log_info("stopping", "signal", number == SIGTERM ? "SIGTERM" : "SIGINT");
  stop(p);
}

// ---- the beginning -----------------------------------------------------------------------------------

static void migrated(void *context, const struct error *e) {
  struct program *p = context;
  p->migrate = NULL;
  if (e) {
    log_error("the database cannot be used", "error", e->text);
    p->failed = true;
    stop(p);
  } else if (p->migrate_only) {
    stop(p);
  } else if (!p->app.stopping) {
    p->app.migrated = true;
    auth_start(p->app.auth);
    hub_start(p->app.hub);
    if (p->app.mirror) mirror_start(p->app.mirror);
  }
}

static void start_signals(struct program *p) {
  uv_signal_init(&p->loop, &p->terminate);
  uv_signal_init(&p->loop, &p->interrupt);
  p->terminate.data = p->interrupt.data = p;
  uv_signal_start(&p->terminate, on_signal, SIGTERM);
  uv_signal_start(&p->interrupt, on_signal, SIGINT);
  p->signals = true;
}

static enum error_code start_cluster(struct program *p, struct error *e) {
  if (!p->settings.use_k8s) return ERR_NONE;
  struct kube_config *config = kube_config_load(e);
  if (!config) return error_prefix(e, "cannot tell where the API server is");
  p->app.kube = kube_client_new(p->app.http, config, p->app.metrics);
  p->app.mirror = mirror_new(&p->app);
  return ERR_NONE;
}

static enum error_code start_front(struct program *p, struct error *e) {
  struct app *app = &p->app;
  app->limits = limits_new(&p->settings);
  app->work = work_new(&p->loop, HASHES_MAX, HASHES_WAITING);
  app->reads = reads_new(app->db, app->metrics);
  app->auth = auth_new(app);
  app->hub = hub_new(app);
  if (start_cluster(p, e) != ERR_NONE) return e->code;
  app->blobs = blobs_new(app, e);
  if (!app->blobs) return error_prefix(e, "BLOB_STORE");
  app->downloads = downloads_new(app, e);
  if (!app->downloads) return e->code;
  app->token_review = token_review_new(app);
  app->server = server_new(app);
  return server_listen(app->server, e);
}

static enum error_code start(struct program *p, struct error *e) {
  if (settings_load(&p->settings, e) != ERR_NONE) return e->code;
  log_setup((enum log_level)p->settings.log_level, (enum log_format)p->settings.log_format);
  struct app *app = &p->app;
  app->loop = &p->loop;
  app->settings = &p->settings;
  app->metrics = metrics_new();
  app->http = http_new(&p->loop);
  p->end = timer_new(&p->loop, end, p);
  struct db_options options = {.url = p->settings.database_url,
                               .connections = (unsigned)p->settings.database_connections,
                               .application_name = "rl-arena-api-server"};
  app->db = db_new(&p->loop, &options, app->metrics, e);
  if (!app->db) return error_prefix(e, "DATABASE_URL");
  start_signals(p);
  if (!p->migrate_only && start_front(p, e) != ERR_NONE) return e->code;
  p->migrate = migrate_start(&p->loop, app->db, migrated, p);
  log_info("started", "namespace", p->settings.use_k8s ? p->settings.namespace : "none");
  return ERR_NONE;
}

static int print_openapi(void) {
  struct str text = STR_INIT(DOCUMENT_MAX);
  struct schemas *schemas = schemas_new(component_schemas, component_schema_count);
  openapi_print(schemas, NULL, &text);
  schemas_free(schemas);
  puts(str_text(&text));
  str_done(&text);
  return 0;
}

static void finish(struct program *p) {
  server_free_after(p->app.server);
  limits_free(p->app.limits);
  metrics_free(p->app.metrics);
  settings_done(&p->settings);
}

static int serve(bool migrate_only) {
  static struct program p;
  struct error e = {0};
  p.migrate_only = migrate_only;
  signal(SIGPIPE, SIG_IGN);
  uv_loop_init(&p.loop);
  enum error_code code = start(&p, &e);
  if (code != ERR_NONE) {
    fprintf(stderr, "api-server: %s\n", e.text);
    close_all(&p);
  }
  uv_run(&p.loop, UV_RUN_DEFAULT);
  finish(&p);
  uv_loop_close(&p.loop);
  if (code != ERR_NONE) return 2;
  log_info("ended");
  return p.failed ? 1 : 0;
}

int main(int argc, char **argv) {
  if (argc == 1) return serve(false);
  if (argc == 2 && strcmp(argv[1], "migrate") == 0) return serve(true);
  if (argc == 2 && strcmp(argv[1], "openapi") == 0) return print_openapi();
  fprintf(stderr, "usage: api-server [migrate | openapi]\n");
  return 2;
}
