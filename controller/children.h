// Jobs and Pods as far as decisions look at them. cache types for kube/cache.
#pragma once

#include "base/meta.h"
#include "kube/cache.h"

#define LABEL_COMPONENT "rl-arena.io/component"
#define LABEL_SUBMISSION "rl-arena.io/submission"
#define LABEL_MATCH "rl-arena.io/match"
#define LABEL_PARTICIPANT "rl-arena.io/participant"

struct job {
  struct meta meta;
  char *submission;  // label
  char *component;   // "build" | "scan"
  bool complete, failed;
  char *failed_reason, *failed_message;  // "DeadlineExceeded", "BackoffLimitExceeded"...
  msec started, finished;
};

enum { POD_CONTAINERS_MAX = 4 };  // fetch, layers, build, push

struct container_state {
  char *name;
  bool init;
  bool ready;
  bool running;
  bool terminated;
  int32_t exit_code, signal;
  msec started, finished;
  char *waiting_reason;  // "ImagePullBackOff", "CreateContainerConfigError"...
  char *reason;          // terminated: "OOMKilled", "Error", "Completed"...
  char *message;         // terminated or waiting: the termination message, at most 4 KiB
};

struct pod {
  struct meta meta;
  char *submission, *match;  // labels, NULL when absent
  int participant;           // label, -1 when absent
  char *phase;               // "Pending", "Running", "Succeeded", "Failed"
  char *reason, *message;    // status.reason: "Evicted", "NodeLost", "DeadlineExceeded"...
  char *ip;
  bool ready;      // condition Ready
  bool disrupted;  // condition DisruptionTarget is True
  bool scheduled;  // condition PodScheduled is True
  // A container has ended and the next can not begin, since what they ran in is gone: the node died in between. The
  // kubelet makes no new one for a Pod that is never restarted, nor does it say that it is over.
  bool cut_off;
  char *unscheduled_message;  // PodScheduled False: why
  struct container_state containers[POD_CONTAINERS_MAX];
  unsigned container_count;
};

bool job_decode(json *object, void *ret_job, struct error *e);
void job_owned(struct owned *o, void *job);
bool pod_decode(json *object, void *ret_pod, struct error *e);
void pod_owned(struct owned *o, void *pod);
const struct container_state *pod_container(const struct pod *p, const char *name);  // NULL when absent
