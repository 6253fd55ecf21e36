// The server about itself.
#include "base/str.h"
#include "handlers/handlers.h"
#include "io/metrics.h"

#include "app.h"
#include "server.h"

enum { METRICS_MAX = 8 * 1024 * 1024 };

static void reply_status(struct exchange *x, const char *status) {
  json *body = json_new_object();
  json_add_text(body, "service", "rl-arena");
  json_add_text(body, "status", status);
  exchange_add_header(x, "Cache-Control", "no-store");
  exchange_reply(x, 200, body);
}

void handle_health(struct exchange *x) {
  reply_status(x, "ok");
}

void handle_ready(struct exchange *x) {
  const char *why;
  if (server_is_ready(exchange_app(x)->server, &why))
    reply_status(x, "ready");
  else
    exchange_fail(x, 503, "not_ready", "%s", why);
}

void handle_metrics(struct exchange *x) {
  struct str text = STR_INIT(METRICS_MAX);
  metrics_print(exchange_app(x)->metrics, &text);
  metrics_print_process(&text);
  exchange_reply_bytes(x, 200, "text/plain; version=0.0.4; charset=utf-8", str_text(&text), text.length, false);
  str_done(&text);
}

void handle_openapi(struct exchange *x) {
  const struct str *text = &exchange_app(x)->server->openapi;
  exchange_reply_bytes(x, 200, "application/json", str_text(text), text->length, true);
}

void handle_docs(struct exchange *x) {
  const struct str *text = &exchange_app(x)->server->docs;
  exchange_add_header(x, "Content-Security-Policy",
                      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'");
  exchange_reply_bytes(x, 200, "text/html; charset=utf-8", str_text(text), text->length, true);
}
