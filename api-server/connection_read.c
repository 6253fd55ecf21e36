// What http-parser says of a request, and what it should have said.
#include <string.h>

#include "base/memory.h"

#include "connection_parts.h"

enum { HEADERS_MAX = 100 };

static struct connection *of(http_parser *p) {
  return p->data;
}

int connection_refuse(struct connection *c, int status, const char *why) {
  if (!c->refused) {
    c->refused_status = status;
    c->refused = why;
  }
  return -1;
}

static const char too_long[] = "the request's target is longer than 8 KiB";

static int on_begin(http_parser *p) {
  struct connection *c = of(p);
  if (c->step == STEP_IDLE) connection_step_to(c, STEP_HEAD);
  c->request_since = clock_monotonic();
  return 0;
}

static int on_url(http_parser *p, const char *at, size_t length) {
  struct connection *c = of(p);
  str_add_bytes(&c->target, at, length);
  return c->target.failed ? connection_refuse(c, 414, too_long) : 0;
}

static int end_header(struct connection *c) {
  if (c->name.length == 0) return 0;
  // http-parser as Debian builds it lets blanks into names, "Content-Length : 5"; others read that otherwise.
  if (strchr(c->name.data, ' ')) return connection_refuse(c, 400, "a header's name has a blank");
  if (c->head.headers.count == HEADERS_MAX) return connection_refuse(c, 431, "more than 100 headers");
  if (strlen(str_text(&c->value)) != c->value.length) return connection_refuse(c, 400, "a header has a NUL character");
  for (char *at = c->name.data; *at; at++)
    if (*at >= 'A' && *at <= 'Z') *at = (char)(*at + ('a' - 'A'));
  size_t end = c->value.length;
  while (end > 0 && (c->value.data[end - 1] == ' ' || c->value.data[end - 1] == '\t')) end--;
  pairs_add(&c->head.headers, mem_strdup(str_text(&c->name)), mem_strndup(str_text(&c->value), end));
  str_clear(&c->name);
  str_clear(&c->value);
  return 0;
}

static int on_name(http_parser *p, const char *at, size_t length) {
  struct connection *c = of(p);
  if (c->in_value && end_header(c)) return -1;
  c->in_value = false;
  str_add_bytes(&c->name, at, length);
  return 0;
}

static int on_value(http_parser *p, const char *at, size_t length) {
  struct connection *c = of(p);
  c->in_value = true;
  str_add_bytes(&c->value, at, length);
  return 0;
}

static int check_head(struct connection *c, const http_parser *p) {
  const struct pairs *headers = &c->head.headers;
  if (p->http_major != 1) return connection_refuse(c, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  size_t hosts = pairs_count(headers, "host");
  if (hosts > 1 || (hosts == 0 && p->http_minor > 0)) return connection_refuse(c, 400, "there must be one Host header");
  const char *coding = pairs_get(headers, "transfer-encoding");
  // The parser takes a name that merely begins and ends like this for it; two views of one message are one too many.
  if (p->uses_transfer_encoding != (coding != NULL)) return connection_refuse(c, 400, "a header's name is malformed");
  if (coding && (strcasecmp(coding, "chunked") != 0 || pairs_count(headers, "transfer-encoding") > 1))
    return connection_refuse(c, 501, "only the transfer coding chunked is known here");
  if (coding && p->http_minor == 0) return connection_refuse(c, 400, "HTTP/1.0 has no transfer codings");
  if (p->method == HTTP_CONNECT) return connection_refuse(c, 405, "this is no proxy");
  return 0;
}

static int on_head(http_parser *p) {
  struct connection *c = of(p);
  if (end_header(c) || check_head(c, p)) return -1;
  struct head *head = &c->head;
  head->method = http_method_str((enum http_method)p->method);
  head->target_length = c->target.length;
  head->target = str_take(&c->target);
  c->target = STR_INIT(TARGET_MAX);
  head->minor = p->http_minor;
  head->keep_alive = http_should_keep_alive(p);
  head->upgrade = p->upgrade;
  bool chunked = pairs_get(&head->headers, "transfer-encoding") != NULL;
  // http-parser's "no length" is the largest number.
  head->content_length = chunked ? -1 : p->content_length > INT64_MAX ? 0 : (int64_t)p->content_length;
  const char *expect = pairs_get(&head->headers, "expect");
  c->expects = expect && strcasecmp(expect, "100-continue") == 0 && head->content_length != 0 && p->http_minor > 0;
  c->head_ready = true;
  connection_step_to(c, STEP_BODY);
  p->upgrade = 0;  // who takes the upgrade says so later (connection_upgrade)
  http_parser_pause(p, 1);
  return 0;
}

static int on_body(http_parser *p, const char *at, size_t length) {
  struct connection *c = of(p);
  c->progress = clock_monotonic();
  if (c->exchange && !c->discarding) {
    exchange_take(c->exchange, at, length);
  } else {
    c->discarded += length;
    if (c->discarded > DISCARD_MAX) connection_step_to(c, STEP_CLOSING);
  }
  if (c->step == STEP_CLOSING || (!c->wants_body && !c->discarding)) http_parser_pause(p, 1);
  return 0;
}

static int on_complete(http_parser *p) {
  struct connection *c = of(p);
  http_parser_pause(p, 1);
  if (c->step == STEP_CLOSING) return 0;
  connection_step_to(c, c->exchange || c->head_ready ? STEP_ANSWER : STEP_IDLE);
  if (c->exchange) exchange_took_all(c->exchange);
  return 0;
}

const http_parser_settings connection_parser = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

struct refusal connection_refusal(const struct connection *c) {
  if (c->refused) return (struct refusal){c->refused_status, c->refused};
  switch (HTTP_PARSER_ERRNO(&c->parser)) {
    case HPE_HEADER_OVERFLOW:
      // Before any header it was the target that had no end.
      if (c->head.headers.count == 0 && c->name.length == 0) return (struct refusal){414, too_long};
      return (struct refusal){431, "the request's headers are larger than 16 KiB"};
    case HPE_INVALID_METHOD:
      if (c->begins_with_letter) return (struct refusal){405, "this method is not known here"};
      return (struct refusal){400, "this is no HTTP"};
    default: return (struct refusal){400, http_errno_description(HTTP_PARSER_ERRNO(&c->parser))};
  }
}
