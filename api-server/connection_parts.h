// What a connection is made of: connection_read.c reads requests into it, connection.c does the rest.
#pragma once

#include <http_parser.h>

#include "base/clock.h"
#include "base/str.h"

#include "connection.h"
#include "exchange_parts.h"

enum {
  HEAD_MAX = 16 * 1024,      // request line and headers
  DISCARD_MAX = 256 * 1024,  // of a body that nobody wants: more ends the connection
};

enum step {
  STEP_IDLE,     // between requests
  STEP_HEAD,     // reading one
  STEP_BODY,     // its body
  STEP_ANSWER,   // all read; the answer is under way
  STEP_CLOSING,  // the last answer goes out
  STEP_LINGER,   // it is out
  STEP_WEBSOCKET,
};

struct connection {
  struct server *server;
  const struct transport *transport;
  void *socket;
  struct peer peer;
  http_parser parser;
  enum step step;
  struct str in, out;
  size_t out_sent;  // of `out`
  // the head that is being read
  struct str target, name, value;
  bool in_value;
  bool begins_with_letter;  // the request: a method, if not one that is known
  struct head head;
  const char *refused;  // why it is no good
  int refused_status;
  struct exchange *exchange;
  struct websocket *websocket;
  bool head_ready;
  bool wants_body;  // the exchange does
  bool discarding;  // nobody does
  size_t discarded;
  bool expects;  // 100-continue
  bool draining;
  bool processing;
  bool reading;
  msec step_since, progress, request_since;  // monotonic
};

struct refusal {
  int status;
  const char *text;
};

extern const http_parser_settings connection_parser;  // its callbacks fill the connection
void connection_step_to(struct connection *c, enum step step);
// Notes why what is being read is no good, the first reason; returns -1, which ends the parser.
int connection_refuse(struct connection *c, int status, const char *why);
struct refusal connection_refusal(const struct connection *c);  // after the parser has ended
