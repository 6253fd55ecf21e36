// The Jobs of a Submission as they are sent: fetch + layers + Kaniko + push, and Trivy + report.
#include <stdio.h>
#include <string.h>

#include "arena/names.h"
#include "base/memory.h"
#include "base/str.h"

#include "submission_parts.h"
#include "submission_pod.h"

#define WORKSPACE_SIZE "2Gi"  // the archive beside what is in it, 512 MiB each at most
#define REPORT_SIZE "256Mi"
#define SCAN_CPU "500m"
// Kaniko leaves out of the image whatever is mounted, so the source is mounted where images have
// nothing of theirs: an author's Dockerfile may use /workspace.
#define SOURCE_FOLDER "/kaniko/buildcontext"
// What the builder leaves for the registry: image/, and layer:<key>/ of each layer that the next build may take.
#define BUILT_FOLDER "/kaniko/built"
#define CREDENTIALS_FOLDER "/etc/rl-arena/docker"

// Where the front keeps uploads, below FRONT_URL.
#define FRONT_SOURCES "/internal/v1/sources"
#define FETCH_ACCOUNT "fetch"
#define TOKEN_FOLDER "/var/run/secrets/rl-arena-front"

enum { FETCH_SECONDS = 300, LAYERS_SECONDS = 60, TRIVY_SECONDS = SCAN_SECONDS - 60 };

// ---- fetch ---------------------------------------------------------------------------------------

static void pair(json *container, const char *option, const char *value) {
  if (text_empty(value)) return;
  pod_arg(container, option);
  pod_arg(container, value);
}

static void fetch_source_args(json *fetch, const struct submission *s) {
  switch (s->source) {
    case SOURCE_INLINE:
      pod_arg(fetch, "inline");
      pair(fetch, "--from", "/source");
      break;
    case SOURCE_ARCHIVE:
      pod_arg(fetch, "archive");
      pair(fetch, "--url", s->url);
      pair(fetch, "--sha256", s->sha256);
      pair(fetch, "--format", s->format);
      break;
    case SOURCE_GIT:
      pod_arg(fetch, "git");
      pair(fetch, "--url", s->url);
      pair(fetch, "--ref", s->ref);
      pair(fetch, "--path", s->path);
      break;
    case SOURCE_IMAGE:
    case SOURCE_NONE: break;  // are not built
  }
}

// An upload is asked for with a token of an account that may nothing else. Only this container gets it: the author's
// code runs in the next one.
static void front_token(json *pod, json *fetch, const struct submission *s, const struct settings *settings) {
  if (!settings->front_url || s->source != SOURCE_ARCHIVE) return;
  cleanup_free char *sources = mem_printf("%s" FRONT_SOURCES, settings->front_url);
  size_t length = strlen(sources);
  if (!text_starts(s->url, sources) || s->url[length] != '/') return;
  json_add_text(pod, "serviceAccountName", FETCH_ACCOUNT);
  pod_front_token(pod, fetch, TOKEN_FOLDER);
  pair(fetch, "--front-url", sources);
  pair(fetch, "--front-token-file", TOKEN_FOLDER "/token");
}

// The files of an inline source under their own names: keys of a ConfigMap cannot hold "/".
static void source_volume(json *pod, json *fetch, const struct submission *s) {
  char name[NAME_SIZE];
  name_source(name, s->meta.name);
  json *volume = json_push_object(json_get(pod, "volumes"));
  json_add_text(volume, "name", "source");
  json *map = json_add_object(volume, "configMap");
  json_add_text(map, "name", name);
  json *items = json_add_array(map, "items");
  for (unsigned i = 0; i < s->file_count; i++) {
    char key[16];
    snprintf(key, sizeof(key), "f%u", i);
    json *one = json_push_object(items);
    json_add_text(one, "key", key);
    json_add_text(one, "path", s->files[i]);
  }
  pod_mount(fetch, "source", "/source", true);
}

static void add_fetch(json *pod, const struct submission *s, const struct settings *settings) {
  json *fetch = pod_container_add(pod, true, "fetch", settings->fetch_image);
  fetch_source_args(fetch, s);
  pair(fetch, "--to", "/workspace");
  pair(fetch, "--runtime-image", settings->runtime_image);
  for (unsigned i = 0; i < settings->fetch_allow_cidr_count; i++)
    pair(fetch, "--allow-cidr", settings->fetch_allow_cidrs[i]);
  front_token(pod, fetch, s, settings);
  pod_arg(fetch, "--timeout");
  pod_arg_format(fetch, "%d", s->timeout_seconds < FETCH_SECONDS ? s->timeout_seconds : FETCH_SECONDS);
  pod_mount(fetch, "workspace", "/workspace", false);
  if (s->source == SOURCE_INLINE) source_volume(pod, fetch, s);
  pod_ca(pod, fetch, CA_FOLDER, settings);
  if (settings->ca_config_map) pod_env(fetch, "SSL_CERT_FILE", CA_FOLDER "/ca.crt");
  // It runs before the builder, so the same amount costs nothing more.
  pod_resources(fetch, settings->build_cpu, settings->build_memory, settings->build_disk);
  pod_restrict(fetch);
}

// ---- build ---------------------------------------------------------------------------------------

// pip knows no authorities but its own, and refuses a plain http index unless its host is named as trusted.
static void pip_args(json *build, const struct settings *settings) {
  const char *index = settings->pip_index_url;
  if (settings->ca_config_map) pod_arg(build, "--build-arg=PIP_CERT=" SOURCE_FOLDER "/authorities.crt");
  if (!index) return;
  pod_arg_format(build, "--build-arg=PIP_INDEX_URL=%s", index);
  if (!text_starts(index, "http://")) return;
  const char *host = index + strlen("http://");
  size_t length = strcspn(host, "/");
  const char *user = memchr(host, '@', length);
  if (user) {
    length -= (size_t)(user + 1 - host);
    host = user + 1;
  }
  pod_arg_format(build, "--build-arg=PIP_TRUSTED_HOST=%.*s", (int)length, host);
}

static void build_args(json *build, const struct submission *s, const struct settings *settings) {
  pod_arg(build, "--context=dir://" SOURCE_FOLDER "/context");
  pod_arg(build, "--dockerfile=" SOURCE_FOLDER "/Dockerfile");
  pod_arg(build, "--no-push");
  pod_arg(build, "--oci-layout-path=" BUILT_FOLDER "/image");
  if (s->no_cache) {
    pod_arg(build, "--cache=false");
  } else {
    pod_arg(build, "--cache=true");
    pod_arg(build, "--cache-ttl=24h");
    pod_arg(build, "--cache-repo=oci:" BUILT_FOLDER "/layer");
  }
  pod_arg(build, "--snapshot-mode=redo");  // by size, owner and time: does not read every file again
  pod_arg(build, "--image-download-retry=3");
  pod_arg(build, "--log-format=text");
  pod_arg(build, "--force");  // it is in a container, also where Kaniko cannot tell
  if (settings->registry_insecure) {
    pod_arg(build, "--insecure-pull");
    pod_arg(build, "--skip-tls-verify-pull");
  }
  pod_arg_format(build, "--build-arg=RUNTIME_IMAGE=%s", settings->runtime_image);
  pip_args(build, settings);
}

// Kaniko runs the author's steps in its own container, as the same user: whatever it is given, they have too. So it is
// given no account that could push, or read what others made.
static void add_build(json *pod, const struct submission *s, const struct settings *settings) {
  json *build = pod_container_add(pod, true, "build", settings->builder_image);
  build_args(build, s, settings);
  pod_mount(build, "workspace", SOURCE_FOLDER, false);
  pod_mount(build, "built", BUILT_FOLDER, false);
  pod_credentials(pod, build, "bases", settings->registry_pull_secret, "/kaniko/.docker");
  pod_ca(pod, build, "/kaniko/ca", settings);
  if (settings->ca_config_map) pod_env(build, "SSL_CERT_DIR", "/kaniko/ssl/certs:/kaniko/ca");
  pod_resources(build, settings->build_cpu, settings->build_memory, settings->build_disk);
  pod_root(build);
}

// ---- to and from the registry --------------------------------------------------------------------

// What layers and push have in common; before and after the author's steps, never beside them.
static void with_registry(json *pod, json *container, const struct submission *s, const struct settings *settings) {
  if (!s->no_cache) {
    pod_arg(container, "--cache");
    pod_arg_format(container, "%s/%s/%s/cache", settings->registry, s->meta.namespace, s->agent);
  }
  if (settings->registry_insecure) pod_arg(container, "--insecure");
  pod_credentials(pod, container, "registry", settings->registry_secret, CREDENTIALS_FOLDER);
  if (settings->registry_secret) pair(container, "--credentials", CREDENTIALS_FOLDER "/config.json");
  pod_ca(pod, container, CA_FOLDER, settings);
  if (settings->ca_config_map) pod_env(container, "SSL_CERT_FILE", CA_FOLDER "/ca.crt");
  pod_resources(container, settings->build_cpu, settings->build_memory, settings->build_disk);
}

static void add_layers(json *pod, const struct submission *s, const struct settings *settings) {
  json *layers = pod_container_add(pod, true, "layers", settings->fetch_image);
  pod_arg(layers, "layers");
  pair(layers, "--to", "/built");
  pod_arg(layers, "--timeout");
  pod_arg_format(layers, "%d", LAYERS_SECONDS);
  with_registry(pod, layers, s, settings);
  pod_mount(layers, "built", "/built", false);
  pod_restrict(layers);
}

static void add_push(json *pod, const struct submission *s, int version, const struct settings *settings) {
  char image[IMAGE_SIZE];
  if (!name_image(image, settings->registry, s->meta.namespace, s->agent, version, s->meta.uid)) image[0] = '\0';
  json *push = pod_container_add(pod, false, "push", settings->fetch_image);
  pod_arg(push, "push");
  pair(push, "--from", "/built");
  pair(push, "--to", image);
  pod_arg(push, "--timeout");
  pod_arg_format(push, "%d", s->timeout_seconds);
  with_registry(pod, push, s, settings);
  pod_mount(push, "built", "/built", true);
  pod_reader(push);
}

json *submission_build_job(const struct submission *s, int version, int attempt, const struct settings *settings) {
  char name[NAME_SIZE];
  name_build_job(name, s->meta.name, attempt);
  json *pod;
  json *job = pod_job(s, name, "build", s->timeout_seconds, settings, &pod);
  pod_volume_empty(pod, "workspace", WORKSPACE_SIZE);
  pod_volume_empty(pod, "built", settings->build_disk);
  add_fetch(pod, s, settings);
  if (!s->no_cache) add_layers(pod, s, settings);
  add_build(pod, s, settings);
  add_push(pod, s, version, settings);
  return job;
}

// ---- scan ----------------------------------------------------------------------------------------

static void scan_args(json *scan, const char *image, const struct settings *settings) {
  pod_arg(scan, "image");
  pod_arg(scan, "--format=json");
  pod_arg(scan, "--output=/report/report.json");
  pod_arg(scan, "--scanners=vuln");
  pod_arg(scan, "--image-src=remote");
  pod_arg(scan, "--list-all-pkgs=false");
  pod_arg(scan, "--exit-code=0");  // findings are no failure; anything else that is not 0 is one
  pod_arg_format(scan, "--timeout=%ds", TRIVY_SECONDS);
  pod_arg(scan, "--cache-dir=/cache");
  pod_arg(scan, "--no-progress");  // not --quiet: that hides why it failed
  if (settings->registry_insecure) pod_arg(scan, "--insecure");
  if (settings->trivy_server_url)
    pod_arg_format(scan, "--server=%s", settings->trivy_server_url);
  else if (settings->trivy_db_repository)
    pod_arg_format(scan, "--db-repository=%s", settings->trivy_db_repository);
  if (settings->trivy_offline) {
    pod_arg(scan, "--offline-scan");
    pod_arg(scan, "--skip-java-db-update");
  }
  pod_arg(scan, image);
}

json *submission_scan_job(const struct submission *s, const char *image, int attempt, const struct settings *settings) {
  char name[NAME_SIZE];
  name_scan_job(name, s->meta.name, attempt);
  json *pod;
  json *job = pod_job(s, name, "scan", SCAN_SECONDS, settings, &pod);
  pod_volume_empty(pod, "report", REPORT_SIZE);
  pod_volume_empty(pod, "cache", settings->build_disk);
  pod_volume_empty(pod, "tmp", settings->build_disk);

  json *scan = pod_container_add(pod, true, "scan", settings->scanner_image);
  scan_args(scan, image, settings);
  pod_env(scan, "HOME", "/tmp");
  // By environment and not by option: scanners that are too old to know them ignore them.
  pod_env(scan, "TRIVY_SKIP_VERSION_CHECK", "true");
  pod_env(scan, "TRIVY_DISABLE_TELEMETRY", "true");
  pod_mount(scan, "report", "/report", false);
  pod_mount(scan, "cache", "/cache", false);
  pod_mount(scan, "tmp", "/tmp", false);
  pod_credentials(pod, scan, "registry", settings->registry_secret, CREDENTIALS_FOLDER);
  if (settings->registry_secret) pod_env(scan, "DOCKER_CONFIG", CREDENTIALS_FOLDER);
  pod_ca(pod, scan, CA_FOLDER, settings);
  if (settings->ca_config_map) pod_env(scan, "SSL_CERT_DIR", CA_FOLDER);
  pod_resources(scan, SCAN_CPU, settings->scan_memory, settings->build_disk);
  pod_restrict(scan);

  json *report = pod_container_add(pod, false, "report", settings->fetch_image);
  pod_arg(report, "report");
  pair(report, "--from", "/report/report.json");
  pair(report, "--db-metadata", "/cache/db/metadata.json");
  pod_mount(report, "report", "/report", true);
  pod_mount(report, "cache", "/cache", true);
  pod_resources(report, SCAN_CPU, settings->scan_memory, settings->build_disk);
  pod_restrict(report);
  return job;
}

// ---- inline source -------------------------------------------------------------------------------

json *submission_source(json *object, const struct submission *s, struct error *e) {
  json *files = json_at(object, "spec", "source", "inline", "files", NULL);
  if (!text_equal(json_text(json_at(object, "metadata", NULL), "uid"), s->meta.uid)) {
    error_set(e, ERR_CONFLICT, "it was deleted, and another one has its name");
    return NULL;
  }
  char name[NAME_SIZE];
  name_source(name, s->meta.name);
  json *map = meta_new_object("v1", "ConfigMap", s->meta.namespace, name);
  meta_add_label(map, "app.kubernetes.io/managed-by", "rl-arena");
  meta_add_label(map, LABEL_COMPONENT, "build");
  meta_add_label(map, LABEL_SUBMISSION, s->meta.name);
  meta_add_owner(map, ARENA_API_VERSION, "Submission", &s->meta);
  json_add_bool(map, "immutable", true);
  json *data = json_add_object(map, "data");
  for (unsigned i = 0; i < s->file_count; i++) {
    char key[16];
    snprintf(key, sizeof(key), "f%u", i);
    json *text = json_get(files, s->files[i]);
    if (!json_object_is_type(text, json_type_string)) {
      error_set(e, ERR_INVALID, "its inline source has no file \"%s\"", s->files[i]);
      json_put(&map);
      return NULL;
    }
    json_add(data, key, json_object_get(text));  // the value itself, whatever characters it has
  }
  return map;
}
