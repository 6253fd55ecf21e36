// Pieces of the Pods that build and scan: everything that both are given or denied.
#pragma once

#include "base/json.h"

#include "submission.h"

#define CA_FOLDER "/etc/rl-arena/ca"  // where containers that are ours find ca.crt

// A Job without containers yet, owned by the submission, that runs once and never longer than `seconds`
// from when a node took its Pod: waiting for room in a full cluster is nobody's fault. After a day it
// ends in any case.
// *ret_pod is its Pod's spec, with empty lists initContainers, containers and volumes.
json *pod_job(const struct submission *s, const char *name, const char *component, int seconds,
              const struct settings *settings, json **ret_pod);

json *pod_container_add(json *pod, bool init, const char *name, const char *image);
// An argument as it is: Kubernetes would expand $(NAME), so every "$" is doubled.
void pod_arg(json *container, const char *text);
void pod_arg_format(json *container, const char *format, ...) __attribute__((format(printf, 2, 3)));
void pod_env(json *container, const char *name, const char *value);
void pod_mount(json *container, const char *volume, const char *path, bool read_only);
void pod_resources(json *container, const char *cpu, const char *memory, const char *disk);
// As the `restricted` Pod Security level wants it, with a read-only root.
void pod_restrict(json *container);
// Root of its own container and nothing more: what unpacking and running a Dockerfile's steps needs.
void pod_root(json *container);
// Root without any capability: reads what another container's root wrote, otherwise as restricted.
void pod_reader(json *container);

// A token of the Pod's service account for the front, which expires soon; for this one container.
void pod_front_token(json *pod, json *container, const char *folder);
void pod_volume_empty(json *pod, const char *name, const char *size);
// A registry's credentials as config.json and the CA bundle as ca.crt; only where they are configured. The container
// that runs an author's steps never gets `registry_secret`.
void pod_credentials(json *pod, json *container, const char *volume, const char *secret, const char *folder);
void pod_ca(json *pod, json *container, const char *folder, const struct settings *settings);
