#include "submission_pod.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

enum { KEEP_SECONDS = 3600, WAIT_SECONDS = 86400, GRACE_SECONDS = 5, USER = 65532, TOKEN_SECONDS = 600 };

static void labels(json *object, const struct submission *s, const char *component) {
  meta_add_label(object, "app.kubernetes.io/managed-by", "rl-arena");
  meta_add_label(object, LABEL_COMPONENT, component);
  meta_add_label(object, LABEL_SUBMISSION, s->meta.name);
}

json *pod_job(const struct submission *s, const char *name, const char *component, int seconds,
              const struct settings *settings, json **ret_pod) {
  json *job = meta_new_object("batch/v1", "Job", s->meta.namespace, name);
  labels(job, s, component);
  meta_add_owner(job, ARENA_API_VERSION, "Submission", &s->meta);
  json *spec = json_add_object(job, "spec");
  json_add_int(spec, "backoffLimit", 0);  // attempts are counted in the Submission's status
  json_add_int(spec, "activeDeadlineSeconds", WAIT_SECONDS + seconds);
  json_add_int(spec, "ttlSecondsAfterFinished", KEEP_SECONDS);

  json *template = json_add_object(spec, "template");
  labels(template, s, component);
  json *pod = json_add_object(template, "spec");
  json_add_text(pod, "restartPolicy", "Never");
  json_add_int(pod, "activeDeadlineSeconds", seconds);
  json_add_bool(pod, "automountServiceAccountToken", false);  // an author's code runs here
  json_add_bool(pod, "enableServiceLinks", false);
  json_add_int(pod, "terminationGracePeriodSeconds", GRACE_SECONDS);
  json_add_text(json_add_object(json_add_object(pod, "securityContext"), "seccompProfile"), "type", "RuntimeDefault");
  if (settings->registry_secret)
    json_add_text(json_push_object(json_add_array(pod, "imagePullSecrets")), "name", settings->registry_secret);
  json_add_array(pod, "initContainers");
  json_add_array(pod, "containers");
  json_add_array(pod, "volumes");
  *ret_pod = pod;
  return job;
}

// ---- containers ----------------------------------------------------------------------------------

json *pod_container_add(json *pod, bool init, const char *name, const char *image) {
  json *container = json_push_object(json_get(pod, init ? "initContainers" : "containers"));
  json_add_text(container, "name", name);
  json_add_text(container, "image", image);
  json_add_text(container, "terminationMessagePolicy", "FallbackToLogsOnError");
  json_add_array(container, "args");
  return container;
}

void pod_arg(json *container, const char *text) {
  struct str escaped = STR_INIT(2 * strlen(text));
  for (; *text; text++) str_add(&escaped, *text == '$' ? "$$" : (char[]){*text, '\0'});
  json_push_text(json_get(container, "args"), str_text(&escaped));
  str_done(&escaped);
}

void pod_arg_format(json *container, const char *format, ...) {
  char *text = NULL;
  va_list args;
  va_start(args, format);
  if (vasprintf(&text, format, args) < 0) text = mem_must(NULL);
  va_end(args);
  pod_arg(container, text);
  free(text);
}

static json *list_in(json *o, const char *key) {
  json *list = json_get(o, key);
  return list ? list : json_add_array(o, key);
}

void pod_env(json *container, const char *name, const char *value) {
  json *variable = json_push_object(list_in(container, "env"));
  json_add_text(variable, "name", name);
  json_add_text(variable, "value", value);
}

void pod_mount(json *container, const char *volume, const char *path, bool read_only) {
  json *mount = json_push_object(list_in(container, "volumeMounts"));
  json_add_text(mount, "name", volume);
  json_add_text(mount, "mountPath", path);
  if (read_only) json_add_bool(mount, "readOnly", true);
}

void pod_resources(json *container, const char *cpu, const char *memory, const char *disk) {
  json *resources = json_add_object(container, "resources");
  static const char *const kinds[] = {"requests", "limits"};
  for (unsigned i = 0; i < array_size(kinds); i++) {
    json *kind = json_add_object(resources, kinds[i]);
    json_add_text(kind, "cpu", cpu);
    json_add_text(kind, "memory", memory);
    json_add_text(kind, "ephemeral-storage", disk);
  }
}

static json *without_anything(json *container, int user) {
  json *context = json_add_object(container, "securityContext");
  json_add_int(context, "runAsUser", user);
  json_add_int(context, "runAsGroup", user);
  json_add_bool(context, "allowPrivilegeEscalation", false);
  json_add_bool(context, "readOnlyRootFilesystem", true);
  json_push_text(json_add_array(json_add_object(context, "capabilities"), "drop"), "ALL");
  return context;
}

void pod_restrict(json *container) {
  json_add_bool(without_anything(container, USER), "runAsNonRoot", true);
}

void pod_reader(json *container) {
  without_anything(container, 0);
}

void pod_root(json *container) {
  static const char *const needed[] = {
      "CHOWN",  "DAC_OVERRIDE", "FOWNER", "FSETID", "SETFCAP",  // to unpack layers with their owners and modes
      "SETGID", "SETUID",                                       // USER, and package managers that give up root
  };
  json *context = json_add_object(container, "securityContext");
  json_add_int(context, "runAsUser", 0);
  json_add_bool(context, "allowPrivilegeEscalation", false);
  json *capabilities = json_add_object(context, "capabilities");
  json_push_text(json_add_array(capabilities, "drop"), "ALL");
  json *add = json_add_array(capabilities, "add");
  for (unsigned i = 0; i < array_size(needed); i++) json_push_text(add, needed[i]);
}

// ---- volumes -------------------------------------------------------------------------------------

static json *volume_add(json *pod, const char *name) {
  json *volume = json_push_object(json_get(pod, "volumes"));
  json_add_text(volume, "name", name);
  return volume;
}

void pod_volume_empty(json *pod, const char *name, const char *size) {
  json_add_text(json_add_object(volume_add(pod, name), "emptyDir"), "sizeLimit", size);
}

void pod_front_token(json *pod, json *container, const char *folder) {
  json *projected = json_add_object(volume_add(pod, "front-token"), "projected");
  json *token = json_add_object(json_push_object(json_add_array(projected, "sources")), "serviceAccountToken");
  json_add_text(token, "audience", "rl-arena-front");
  json_add_int(token, "expirationSeconds", TOKEN_SECONDS);
  json_add_text(token, "path", "token");
  pod_mount(container, "front-token", folder, true);
}

static bool has_volume(json *pod, const char *name) {
  json *volumes = json_get(pod, "volumes");
  for (size_t i = 0; i < json_length(volumes); i++)
    if (text_equal(json_text(json_item(volumes, i), "name"), name)) return true;
  return false;
}

static void item(json *source, const char *key, const char *path) {
  json *one = json_push_object(json_add_array(source, "items"));
  json_add_text(one, "key", key);
  json_add_text(one, "path", path);
}

void pod_credentials(json *pod, json *container, const char *volume, const char *secret, const char *folder) {
  if (!secret) return;
  if (!has_volume(pod, volume)) {
    json *source = json_add_object(volume_add(pod, volume), "secret");
    json_add_text(source, "secretName", secret);
    item(source, ".dockerconfigjson", "config.json");
  }
  pod_mount(container, volume, folder, true);
}

void pod_ca(json *pod, json *container, const char *folder, const struct settings *settings) {
  if (!settings->ca_config_map) return;
  if (!has_volume(pod, "ca")) {
    json *map = json_add_object(volume_add(pod, "ca"), "configMap");
    json_add_text(map, "name", settings->ca_config_map);
    item(map, "ca.crt", "ca.crt");
  }
  pod_mount(container, "ca", folder, true);
}
