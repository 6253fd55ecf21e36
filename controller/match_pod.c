// The Pod an agent plays in. It runs a stranger's code: nothing is mounted, nothing is inherited,
// everything is bounded.
#include <stdio.h>

#include "arena/names.h"
#include "base/memory.h"
#include "base/str.h"

#include "match.h"

// Time that a Pod may take beyond the match itself: pulling its image, starting, waiting for its opponent's.
enum { POD_SLACK_SECONDS = 900 };

static void add_security(json *pod_spec, json *container) {
  json *pod = json_add_object(pod_spec, "securityContext");
  json_add_bool(pod, "runAsNonRoot", true);
  json_add_int(pod, "runAsUser", 10001);
  json_add_int(pod, "runAsGroup", 10001);
  json_add_int(pod, "fsGroup", 10001);
  json_add_text(json_add_object(pod, "seccompProfile"), "type", "RuntimeDefault");
  json *own = json_add_object(container, "securityContext");
  json_add_bool(own, "allowPrivilegeEscalation", false);
  json_add_bool(own, "readOnlyRootFilesystem", true);
  json_push_text(json_add_array(json_add_object(own, "capabilities"), "drop"), "ALL");
}

static void add_resources(json *container, const struct match_defaults *limits, const struct settings *settings) {
  json *resources = json_add_object(container, "resources");
  static const char *const both[] = {"requests", "limits"};
  for (unsigned i = 0; i < array_size(both); i++) {
    json *side = json_add_object(resources, both[i]);
    json_add_text(side, "cpu", limits->cpu ? limits->cpu : settings->agent_cpu);
    json_add_text(side, "memory", limits->memory ? limits->memory : settings->agent_memory);
    json_add_text(side, "ephemeral-storage", "128Mi");
  }
}

static void add_container(json *pod_spec, const struct match *m, unsigned seat, const struct participant_status *p,
                          const struct match_defaults *limits, const struct settings *settings) {
  json *container = json_push_object(json_add_array(pod_spec, "containers"));
  json_add_text(container, "name", "agent");
  json_add_text(container, "image", p->image);
  // When it ends before it serves, its last lines are what its author gets to read.
  json_add_text(container, "terminationMessagePolicy", "FallbackToLogsOnError");
  json *port = json_push_object(json_add_array(container, "ports"));
  json_add_text(port, "name", "grpc");
  json_add_int(port, "containerPort", AGENT_PORT);
  json *env = json_add_array(container, "env");
  char number[24];
  snprintf(number, sizeof(number), "%d", AGENT_PORT);
  json *variable = json_push_object(env);
  json_add_text(variable, "name", "AGENT_PORT");
  json_add_text(variable, "value", number);
  variable = json_push_object(env);
  snprintf(number, sizeof(number), "%u", seat);
  json_add_text(variable, "name", "AGENT_SEAT");
  json_add_text(variable, "value", number);
  // The Pod's uid, which only its node, the controller and the executor know: nobody else who finds the
  // address can have the agent begin another game. It is no secret worth keeping after the match.
  variable = json_push_object(env);
  json_add_text(variable, "name", "AGENT_TOKEN");
  json_add_text(json_add_object(json_add_object(variable, "valueFrom"), "fieldRef"), "fieldPath", "metadata.uid");
  json *probe = json_add_object(container, "readinessProbe");
  json_add_int(json_add_object(probe, "tcpSocket"), "port", AGENT_PORT);
  json_add_int(probe, "periodSeconds", 1);
  json_add_int(probe, "failureThreshold", limits->startup_seconds + m->timeout_seconds);
  json *mount = json_push_object(json_add_array(container, "volumeMounts"));
  json_add_text(mount, "name", "tmp");
  json_add_text(mount, "mountPath", "/tmp");
  add_resources(container, limits, settings);
  add_security(pod_spec, container);
}

json *match_agent_pod(const struct match *m, unsigned seat, const struct participant_status *p,
                      const struct match_defaults *limits, const struct settings *settings) {
  char name[NAME_SIZE], number[16];
  name_agent_pod(name, m->meta.name, seat);
  snprintf(number, sizeof(number), "%u", seat);
  json *pod = meta_new_object("v1", "Pod", m->meta.namespace, name);
  meta_add_owner(pod, ARENA_API_VERSION, "Match", &m->meta);
  meta_add_label(pod, "app.kubernetes.io/managed-by", "rl-arena");
  meta_add_label(pod, LABEL_COMPONENT, "agent");
  meta_add_label(pod, LABEL_MATCH, m->meta.name);
  meta_add_label(pod, LABEL_PARTICIPANT, number);
  json *spec = json_add_object(pod, "spec");
  json_add_text(spec, "restartPolicy", "Never");
  json_add_bool(spec, "automountServiceAccountToken", false);
  json_add_bool(spec, "enableServiceLinks", false);
  json_add_int(spec, "terminationGracePeriodSeconds", 1);
  json_add_int(spec, "activeDeadlineSeconds", (int64_t)m->timeout_seconds * MATCH_ATTEMPTS + POD_SLACK_SECONDS);
  json_add_text(spec, "runtimeClassName", settings->agent_runtime_class);
  if (settings->registry_secret != NULL) {
    json *secret = json_push_object(json_add_array(spec, "imagePullSecrets"));
    json_add_text(secret, "name", settings->registry_secret);
  }
  add_container(spec, m, seat, p, limits, settings);
  json *volume = json_push_object(json_add_array(spec, "volumes"));
  json_add_text(volume, "name", "tmp");
  // In memory: a full one is an error that the agent gets to see. On disk the kubelet would evict the
  // Pod for it, which looks like the platform's fault.
  json *folder = json_add_object(volume, "emptyDir");
  json_add_text(folder, "medium", "Memory");
  json_add_text(folder, "sizeLimit", "64Mi");
  return pod;
}
