// A program for the tests of lib/kube against a real API server: it does what its standard input
// says, a command a line, and tells on standard output what happened, an event a line.
#pragma once

#include <uv.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/meta.h"
#include "base/str.h"
#include "kube/client.h"

enum { WORDS_MAX = 4 };

struct probe {
  uv_loop_t loop;
  struct http *http;
  struct metrics *metrics;
  struct kube_client *client;
  const char *namespace;
  const char *arguments[WORDS_MAX];  // after the namespace, "" when absent
  // By the kind of probe; words that are absent are "". Return false for an unknown command.
  bool (*command)(struct probe *p, const char *const words[WORDS_MAX]);
  void (*finish)(struct probe *p);  // frees its own; called at the end of the input or at SIGTERM
  void *own;
};

extern const struct kube_kind probe_configmap;

void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
void tell_error(const char *what, const char *name, const struct error *e);
void probe_end(struct probe *p);  // what finish calls when all of its own is freed

void cache_probe_start(struct probe *p);
void lease_probe_start(struct probe *p);
void event_probe_start(struct probe *p);
