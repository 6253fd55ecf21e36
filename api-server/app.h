// What the parts of the front share: made by main.c, borrowed by everyone else.
#pragma once

#include <stdbool.h>

#include <uv.h>

struct app {
  uv_loop_t *loop;
  const struct settings *settings;
  struct metrics *metrics;
  struct http *http;
  struct kube_client *kube;  // NULL with USE_K8S=false: reads only
  struct db *db;
  struct reads *reads;  // what was read of it, while nothing changes
  struct work *work;    // password hashes
  struct auth *auth;    // whose token it is
  struct blobs *blobs;
  struct token_review *token_review;  // of the internal port
  struct downloads *downloads;        // of code that a URL names
  struct hub *hub;
  struct mirror *mirror;  // NULL with USE_K8S=false
  struct limits *limits;
  struct server *server;
  bool migrated;  // the database is as this program wants it
  bool stopping;
};
