// Shared by http.c (the loop, lifetimes), http_setup.c (options to libcurl) and http_answer.c
// (what arrives, and errors).
#pragma once

#include <curl/curl.h>

#include "io/http.h"
#include "io/timer.h"

struct http {
  uv_loop_t *loop;
  CURLM *multi;
  uv_timer_t *timer;              // libcurl's one timer
  struct timer *early;            // tells requests that could not even be set up, from the loop
  struct http_request *requests;  // those whose `done` was not called yet
  unsigned busy;                  // entries from the loop that still use this struct
  bool in_curl;                   // libcurl is on the stack: it takes no handle in or out meanwhile
  bool unsettled;                 // something was started or cancelled meanwhile
  http_may_fn *may;               // see http_guard; NULL: everything may
  void *may_context;
  bool dead;  // freed by the caller while busy
};

enum http_state { HTTP_WAITING, HTTP_RUNNING, HTTP_DONE };

struct http_request {
  struct http *h;
  struct http_request *next, *previous;
  CURL *easy;
  struct curl_slist *headers;
  char *method;
  char *url;
  enum http_state state;
  bool cancelled;  // by the caller, while libcurl was on the stack
  bool stopped;    // `data` returned false
  bool too_large;
  bool withheld;  // by the guard
  bool early;     // `problem` was found before the transfer began
  struct error problem;

  struct timer *idle, *deadline;
  msec idle_timeout, timeout;
  http_data_fn *data;
  http_done_fn *done;
  void *context;

  struct str body;
  const struct http_guard *guard;
  bool forbidden;  // an address that the guard refused
  char etag[128];
  int grpc_status;
  struct str grpc_message;
  char curl_text[CURL_ERROR_SIZE];
};

enum { HTTP_DEFAULT_MAX = 4 * 1024 * 1024, HTTP_DEFAULT_TIMEOUT = 30000, HTTP_DEFAULT_CONNECT_TIMEOUT = 10000 };

// Fills r->easy from the options; a failure is left in r->problem, with r->early.
void http_setup(struct http_request *r, const struct http_options *o);

// libcurl's callbacks; `user` is the request.
curl_socket_t http_on_open(void *user, curlsocktype purpose, struct curl_sockaddr *address);
size_t http_on_header(char *bytes, size_t size, size_t count, void *user);
size_t http_on_body(char *bytes, size_t size, size_t count, void *user);

// What libcurl's result means; ERR_NONE for a whole answer.
enum error_code http_result_to_error(const struct http_request *r, CURLcode result, struct error *e);
// Puts method and URL (without its query) in front.
void http_name_error(const struct http_request *r, struct error *e);
struct http_response http_response_of(const struct http_request *r);
