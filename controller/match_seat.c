// Reading an agent's Pod: ready, still coming, broken by its own doing, or by the platform's.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "match.h"

enum {
  PULL_PATIENCE_MS = 45 * 1000,       // an image that cannot be pulled for so long
  SCHEDULE_PATIENCE_MS = 300 * 1000,  // a Pod that gets no node, or no container, for so long
};

static void verdict(struct seat_state *s, enum seat_verdict v, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void verdict(struct seat_state *s, enum seat_verdict v, const char *reason, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(s->text, sizeof(s->text), format, args);
  va_end(args);
  // A stranger's words, cut: half a character would make the whole request unreadable to the executor.
  s->text[text_utf8_prefix(s->text, strlen(s->text))] = '\0';
  s->verdict = v;
  s->reason = reason;
}

// The kubelet evicts a Pod that uses more disk than its own limits with the same reason as one that a
// node in need of room gives up; only the words differ. An image can bring it about by its log.
bool seat_used_too_much_disk(const struct pod *pod) {
  static const char *const words[] = {"exceeds the total limit of containers", "exceeded its local ephemeral storage",
                                      "Usage of EmptyDir volume"};
  if (pod == NULL || pod->disrupted || !text_equal(pod->reason, "Evicted") || pod->message == NULL) return false;
  for (unsigned i = 0; i < array_size(words); i++) {
    if (strstr(pod->message, words[i]) != NULL) return true;
  }
  return false;
}

// No agent can bring this about: what it may take for itself, the executor counts.
static bool has_expired(const struct pod *pod) {
  return text_equal(pod->reason, "DeadlineExceeded");
}

bool seat_was_disrupted(const struct pod *pod) {
  if (seat_used_too_much_disk(pod)) return false;
  if (pod == NULL || pod->meta.deleted != 0 || pod->disrupted || has_expired(pod)) return true;
  static const char *const reasons[] = {"Evicted",      "NodeLost",   "Preempting",   "Shutdown",
                                        "NodeShutdown", "Terminated", "NodeAffinity", "UnexpectedAdmissionError",
                                        "OutOfcpu",     "OutOfmemory"};
  for (unsigned i = 0; i < array_size(reasons); i++) {
    if (text_equal(pod->reason, reasons[i])) return true;
  }
  return false;
}

static bool is_pull_trouble(const char *reason) {
  static const char *const words[] = {
      "ImagePullBackOff",           "ErrImagePull",         "InvalidImageName",  "ErrImageNeverPull",
      "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "RegistryUnavailable",
      "ImageInspectError"};
  for (unsigned i = 0; i < array_size(words); i++) {
    if (text_equal(reason, words[i])) return true;
  }
  return false;
}

static void look_at_end(const struct pod *pod, const struct container_state *c, struct seat_state *ret) {
  if (seat_used_too_much_disk(pod)) {
    verdict(ret, SEAT_AGENT_FAULT, "DiskExceeded", SEAT_DISK_TEXT);
  } else if (c != NULL && text_equal(c->reason, "OOMKilled")) {
    verdict(ret, SEAT_AGENT_FAULT, "OOMKilled", "Its container was killed for using more memory than its limit.");
  } else if (c != NULL && text_equal(c->reason, "ContainerStatusUnknown")) {
    verdict(ret, SEAT_PLATFORM_FAULT, "PodLost", "Pod %s was lost by its node.", pod->meta.name);
  } else if (c != NULL && text_equal(c->reason, "StartError")) {
    verdict(ret, SEAT_AGENT_FAULT, "StartError", "Its image cannot be started: %s",
            c->message ? c->message : "no command");
  } else {
    // What it printed is its author's alone: behind the first line, as the executor tells it too.
    verdict(ret, SEAT_AGENT_FAULT, "Exited", "Its container ended with exit code %d.%s%s", c ? c->exit_code : -1,
            c && !text_empty(c->message) ? "\nlast output:\n" : "", c && c->message ? c->message : "");
  }
}

// No node can start an image that names no program: that is how it was built.
static bool has_no_command(const struct container_state *c) {
  return c != NULL && text_equal(c->waiting_reason, "CreateContainerError") && c->message != NULL &&
         strstr(c->message, "no command specified") != NULL;
}

static void look_at_pending(const struct pod *pod, const struct container_state *c, msec seen, struct seat_state *ret) {
  if (has_no_command(c)) {
    verdict(ret, SEAT_AGENT_FAULT, "StartError",
            "Its image cannot be started: it names no command. Give its Dockerfile an ENTRYPOINT.");
    return;
  }
  if (c != NULL && is_pull_trouble(c->waiting_reason)) {
    if (seen >= PULL_PATIENCE_MS) {
      verdict(ret, SEAT_PLATFORM_FAULT, c->waiting_reason, "Pod %s cannot start its container: %s", pod->meta.name,
              c->message ? c->message : c->waiting_reason);
      return;
    }
    verdict(ret, SEAT_WAITING, c->waiting_reason, "Pod %s waits for its image: %s", pod->meta.name,
            c->message ? c->message : c->waiting_reason);
    ret->again = PULL_PATIENCE_MS - seen;
    return;
  }
  if (seen >= SCHEDULE_PATIENCE_MS) {
    verdict(ret, SEAT_PLATFORM_FAULT, pod->scheduled ? "PodNotStarted" : "Unschedulable",
            "Pod %s did not start within %d s: %s", pod->meta.name, SCHEDULE_PATIENCE_MS / 1000,
            !pod->scheduled && pod->unscheduled_message ? pod->unscheduled_message : "its node did not run it");
    return;
  }
  verdict(ret, SEAT_WAITING, pod->scheduled || !pod->unscheduled_message ? "PodsStarting" : "Unschedulable", "%s",
          !pod->scheduled && pod->unscheduled_message ? pod->unscheduled_message : "The agents' Pods are starting.");
  ret->again = SCHEDULE_PATIENCE_MS - seen;
}

void seat_look(const struct pod *pod, const struct match_defaults *limits, msec seen, struct seat_state *ret) {
  *ret = (struct seat_state){.verdict = SEAT_MISSING, .reason = "PodMissing"};
  if (pod == NULL) return;
  if (pod->meta.deleted != 0) {
    verdict(ret, SEAT_WAITING, "PodDeleted", "Pod %s of an earlier attempt is ending.", pod->meta.name);
    return;
  }
  const struct container_state *c = pod_container(pod, "agent");
  const bool ended =
      text_equal(pod->phase, "Failed") || text_equal(pod->phase, "Succeeded") || (c != NULL && c->terminated);
  if (ended && has_expired(pod)) {
    verdict(ret, SEAT_EXPIRED, "PodExpired", "Pod %s had lived for as long as an agent's Pod may.", pod->meta.name);
  } else if (ended && seat_was_disrupted(pod)) {
    verdict(ret, SEAT_PLATFORM_FAULT, pod->reason ? "PodEvicted" : "PodLost", "Pod %s was ended by the cluster (%s).",
            pod->meta.name, pod->reason ? pod->reason : "disrupted");
  } else if (ended) {
    look_at_end(pod, c, ret);
  } else if (pod->ready && !text_empty(pod->ip)) {
    verdict(ret, SEAT_READY, "Ready", "ready");
  } else if (c == NULL || !c->running) {
    look_at_pending(pod, c, seen, ret);
  } else {
    const msec left = (msec)limits->startup_seconds * 1000 - seen;
    if (left <= 0) {
      verdict(ret, SEAT_AGENT_FAULT, "NotServing", "It did not answer on port %d within %d s of its start.", AGENT_PORT,
              limits->startup_seconds);
    } else {
      verdict(ret, SEAT_WAITING, "PodsStarting", "The agents' Pods are starting.");
      ret->again = left;
    }
  }
}
