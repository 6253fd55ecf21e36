// Emits Events about a ConfigMap of made-up uid. Commands: "emit NAME REASON COUNT", "pending".
// Events: "idle" once nothing is pending after an emit.
#include "io/timer.h"
#include "kube/event.h"

#include "probe.h"

enum { LOOK_MS = 20 };

struct own {
  struct event_recorder *recorder;
  struct timer *look;
};

static void on_look(void *context) {
  struct probe *p = context;
  struct own *own = p->own;
  if (event_recorder_pending(own->recorder) == 0)
    tell("idle");
  else
    timer_set(own->look, LOOK_MS);
}

static bool command(struct probe *p, const char *const words[WORDS_MAX]) {
  struct own *own = p->own;
  if (text_equal(words[0], "pending")) {
    tell("pending %zu", event_recorder_pending(own->recorder));
    return true;
  }
  if (!text_equal(words[0], "emit")) return false;
  cleanup_free char *name = mem_strdup(words[1]), *uid = mem_printf("uid-of-%s", words[1]);
  cleanup_free char *namespace = mem_strdup(p->namespace);
  struct meta object = {.namespace = namespace, .name = name, .uid = uid, .version = 1};
  for (long n = strtol(words[3], NULL, 10); n > 0; n--)
    event_recorder_emit(own->recorder, &probe_configmap, &object, text_equal(words[2], "Failed"), words[2],
                        "A sentence about it.");
  timer_set(own->look, LOOK_MS);
  return true;
}

static void finish(struct probe *p) {
  struct own *own = p->own;
  event_recorder_free(own->recorder);
  timer_free(own->look);
  free(own);
  probe_end(p);
}

void event_probe_start(struct probe *p) {
  struct own *own = mem_alloc(sizeof *own);
  p->own = own;
  p->command = command;
  p->finish = finish;
  own->recorder = event_recorder_new(p->client, &p->loop, "kube-probe", "instance-1");
  own->look = timer_new(&p->loop, on_look, p);
}
