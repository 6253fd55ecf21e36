// Any JSON as a Job and as a Pod: always read, never more than its bounds.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#include "children.h"
#include "target.h"

enum { MESSAGE_MAX = 4096 };

static void must(bool promise) {
  if (!promise) abort();
}

static void bounded(const char *text) {
  must(!text || strlen(text) <= MESSAGE_MAX);
}

static void try_job(json *object) {
  struct job j = {0};
  must(job_decode(object, &j, NULL));
  bounded(j.failed_message);
  must(j.failed || (!j.failed_reason && !j.failed_message));
  owned_free(job_owned, &j);
}

static void try_pod(json *object) {
  struct pod p = {0};
  must(pod_decode(object, &p, NULL));
  must(p.container_count <= POD_CONTAINERS_MAX && p.participant >= -1 && p.participant <= 9);
  bounded(p.message);
  bounded(p.unscheduled_message);
  for (unsigned i = 0; i < p.container_count; i++) {
    const struct container_state *c = &p.containers[i];
    bounded(c->message);
    must(c->terminated || (!c->reason && c->exit_code == 0 && c->signal == 0 && c->finished == 0));
    if (c->name) must(pod_container(&p, c->name) != NULL);
  }
  owned_free(pod_owned, &p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  cleanup_json json *object = json_parse((const char *)data, size, NULL);
  if (!object) return 0;
  try_job(object);
  try_pod(object);
  return 0;
}
