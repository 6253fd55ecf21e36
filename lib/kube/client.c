#include "kube/client.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"

#include "config_private.h"
#include "status.h"
#include "url.h"

enum { URL_MAX = 64 * 1024, RESPONSE_MAX = 8 * 1024 * 1024 };

struct kube_client {
  struct http *http;
  struct kube_config *config;
  char *host;
  struct metric *requests;
  struct kube_call *calls;  // all that run
};

struct kube_call {
  struct kube_client *client;
  struct kube_call *previous, *next;
  struct http_request *request;
  bool finished;
  bool retried;  // after a 401, with a token read anew

  const struct kube_kind *kind;
  char *method, *url, *content_type, *body;
  size_t max_response;
  msec timeout, idle_timeout;
  bool text_answer, unguarded;
  http_data_fn *data;
  kube_done_fn *done;
  void *context;
};

struct kube_client *kube_client_new(struct http *http, struct kube_config *take_config, struct metrics *m) {
  struct kube_client *c = mem_alloc(sizeof *c);
  c->http = http;
  c->config = take_config;
  c->host = url_host(take_config->server);
  if (m != NULL)
    c->requests =
        metrics_counter(m, "rest_client_requests_total",
                        "Number of HTTP requests, partitioned by status code, method, and host.", "code,method,host");
  return c;
}

static void unlink_call(struct kube_call *call) {
  *(call->previous != NULL ? &call->previous->next : &call->client->calls) = call->next;
  if (call->next != NULL) call->next->previous = call->previous;
}

static void call_free(struct kube_call *call) {
  free(call->method);
  free(call->url);
  free(call->content_type);
  free(call->body);
  free(call);
}

void kube_client_free(struct kube_client *c) {
  if (c == NULL) return;
  for (struct kube_call *call = c->calls, *next; call != NULL; call = next) {
    next = call->next;
    http_cancel(call->request);
    call_free(call);
  }
  kube_config_free(c->config);
  free(c->host);
  free(c);
}

void kube_call_cancel(struct kube_call *call) {
  if (call == NULL || call->finished) return;  // finished: from inside its own `done`
  http_cancel(call->request);
  unlink_call(call);
  call_free(call);
}

static void count(const struct kube_call *call, int status) {
  if (call->client->requests == NULL) return;
  char code[16] = "<error>";
  if (status > 0) snprintf(code, sizeof code, "%d", status);
  cleanup_free char *labels = mem_printf("%s,%s,%s", code, call->method, call->client->host);
  metric_add(call->client->requests, labels, 1);
}

static void send_request(struct kube_call *call);

// Writes change the world; a log is read once and decides. Other reads leave no trace.
static void pass_fault_point(const struct kube_call *call, const char *when) {
  if (!FAULT_POINTS) return;
  if (strcmp(call->method, "GET") != 0 || strstr(call->url, "/log?") != NULL)
    fault_point(when, call->method, call->url);
}

static void finish(struct kube_call *call, const struct kube_answer *answer, const struct error *e) {
  unlink_call(call);  // `done` may free the client
  call->finished = true;
  call->done(call->context, answer, e);
  call_free(call);
}

static void finish_ok(struct kube_call *call, struct kube_answer *answer) {
  struct error e = {0};
  cleanup_json json *object = NULL;
  if (!call->text_answer && call->data == NULL && answer->length > 0) {
    object = json_parse_without(answer->text, answer->length, kube_kind_skipped(call->kind), &e);
    if (object == NULL) {
      error_set(&e, ERR_INTERNAL, "the Kubernetes API's answer to %s is not JSON", call->method);
      finish(call, answer, &e);
      return;
    }
  }
  answer->object = object;
  finish(call, answer, NULL);
}

static void on_response(void *context, const struct http_response *response, const struct error *http_error) {
  struct kube_call *call = context;
  call->request = NULL;
  pass_fault_point(call, "after");
  count(call, response->status);
  struct kube_answer answer = {.text = response->body, .length = response->length, .status = response->status};
  if (http_error != NULL) {
    struct error e = *http_error;
    error_prefix(&e, "Kubernetes API, %s", call->method);
    finish(call, &answer, &e);
  } else if (response->status == 401 && !call->retried && token_expire(&call->client->config->token)) {
    call->retried = true;
    send_request(call);
  } else if (response->status < 200 || response->status > 299) {
    struct error e = {0};
    kube_status_to_error(response->status, response->body, response->length, response->retry_after_ms, &e);
    finish(call, &answer, &e);
  } else {
    finish_ok(call, &answer);
  }
}

// Streamed bytes go to the caller's context, not to ours.
static bool on_data(void *context, const char *bytes, size_t length) {
  struct kube_call *call = context;
  return call->data(call->context, bytes, length);
}

static void send_request(struct kube_call *call) {
  struct kube_config *config = call->client->config;
  const char *token = token_get(&config->token, clock_monotonic());
  cleanup_free char *authorization = token != NULL ? mem_printf("Authorization: Bearer %s", token) : NULL;
  cleanup_free char *content_type = mem_printf("Content-Type: %s", call->content_type);
  const char *headers[4] = {"Accept: application/json"};
  size_t n = 1;
  if (call->body != NULL) headers[n++] = content_type;
  if (authorization != NULL) headers[n++] = authorization;

  call->request = http_start(call->client->http, &(struct http_options){
                                                     .method = call->method,
                                                     .url = call->url,
                                                     .headers = headers,
                                                     .body = call->body,
                                                     .body_length = call->body != NULL ? strlen(call->body) : 0,
                                                     .max_response = call->max_response,
                                                     .timeout = call->timeout,
                                                     .idle_timeout = call->idle_timeout,
                                                     .ca_file = config->files[CONFIG_CA],
                                                     .cert_file = config->files[CONFIG_CERT],
                                                     .key_file = config->files[CONFIG_KEY],
                                                     .insecure = config->insecure,
                                                     .unguarded = call->unguarded,
                                                     .data = call->data != NULL ? on_data : NULL,
                                                     .done = on_response,
                                                     .context = call,
                                                 });
  if (authorization != NULL) explicit_bzero(authorization, strlen(authorization));
}

struct kube_call *kube_call_start(struct kube_client *c, const struct kube_request *r, kube_done_fn *done,
                                  void *context) {
  struct kube_call *call = mem_alloc(sizeof *call);
  call->client = c;
  call->next = c->calls;
  if (call->next != NULL) call->next->previous = call;
  c->calls = call;

  struct str url = STR_INIT(URL_MAX);
  url_build(&url, kube_config_server(c->config), r);
  // A cut address would be another object's: ask for what cannot exist instead.
  call->url = url.failed ? mem_printf("%s/%%25", kube_config_server(c->config)) : mem_strdup(str_text(&url));
  str_done(&url);
  call->kind = r->kind;
  call->method = mem_strdup(r->method);
  call->content_type = mem_strdup(r->content_type != NULL ? r->content_type : "application/json");
  call->body = r->body != NULL ? json_print(r->body) : NULL;
  call->max_response = r->max_response > 0 ? r->max_response : RESPONSE_MAX;
  call->timeout = r->timeout;
  call->idle_timeout = r->idle_timeout;
  call->text_answer = r->text_answer;
  call->unguarded = r->unguarded;
  call->data = r->data;
  call->done = done;
  call->context = context;
  pass_fault_point(call, "before");
  send_request(call);
  return call;
}
