// The Jobs as they are sent: what the containers are told, given and denied.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

#include "submission.h"

static char *files[] = {"agent.py", "model/net.py"};

static struct submission sample(enum source_kind source) {
  return (struct submission){
      .meta = {.namespace = "arena", .name = "sub", .uid = "0f9d1c2b-0000"},
      .agent = "ann",
      .source = source,
      .files = files,
      .file_count = 2,
      .timeout_seconds = 900,
      .max_retries = 3,
  };
}

static struct settings plain(void) {
  return (struct settings){.registry = "registry.test/agents",
                           .fetch_image = "fetch:1",
                           .builder_image = "kaniko:1",
                           .scanner_image = "trivy:1",
                           .runtime_image = "runtime:1",
                           .build_cpu = "1",
                           .build_memory = "2Gi",
                           .build_disk = "4Gi",
                           .scan_memory = "1Gi"};
}

static json *pod_of(json *job) {
  return json_at(job, "spec", "template", "spec", NULL);
}

static json *named(json *list, const char *name) {
  for (size_t i = 0; i < json_length(list); i++)
    if (text_equal(json_text(json_item(list, i), "name"), name)) return json_item(list, i);
  return NULL;
}

static json *container_of(json *job, const char *name) {
  json *found = named(json_get(pod_of(job), "containers"), name);
  return found ? found : named(json_get(pod_of(job), "initContainers"), name);
}

// All arguments in one text, so that a test can name a run of them.
static char *args_of(json *job, const char *container) {
  struct str text = STR_INIT(8192);
  json *list = json_get(container_of(job, container), "args");
  for (size_t i = 0; i < json_length(list); i++)
    str_add_format(&text, " %s", json_object_get_string(json_item(list, i)));
  str_add(&text, " ");
  return str_take(&text);
}

static void assert_args(json *job, const char *container, const char *part) {
  cleanup_free char *args = args_of(job, container);
  if (!strstr(args, part)) fail_msg("%s lacks \"%s\":%s", container, part, args);
}

static void assert_no_args(json *job, const char *container, const char *part) {
  cleanup_free char *args = args_of(job, container);
  if (strstr(args, part)) fail_msg("%s has \"%s\":%s", container, part, args);
}

static const char *mount_of(json *job, const char *container, const char *volume) {
  return json_text(named(json_get(container_of(job, container), "volumeMounts"), volume), "mountPath");
}

static const char *env_of(json *job, const char *container, const char *name) {
  return json_text(named(json_get(container_of(job, container), "env"), name), "value");
}

static void assert_restricted(json *job, const char *container) {
  json *context = json_get(container_of(job, container), "securityContext");
  assert_true(json_bool(context, "runAsNonRoot", false));
  assert_true(json_bool(context, "readOnlyRootFilesystem", false));
  assert_false(json_bool(context, "allowPrivilegeEscalation", true));
  assert_string_equal(json_object_get_string(json_item(json_at(context, "capabilities", "drop", NULL), 0)), "ALL");
  assert_null(json_at(context, "capabilities", "add", NULL));
}

static void assert_limits(json *job, const char *container, const char *memory) {
  json *resources = json_get(container_of(job, container), "resources");
  assert_true(json_object_equal(json_get(resources, "requests"), json_get(resources, "limits")));
  assert_string_equal(json_text(json_get(resources, "limits"), "memory"), memory);
  assert_non_null(json_text(json_get(resources, "limits"), "ephemeral-storage"));
}

static void assert_frame(json *job, const char *name, const char *component) {
  json *meta = json_get(job, "metadata");
  assert_string_equal(json_text(meta, "name"), name);
  assert_string_equal(json_text(meta, "namespace"), "arena");
  json *label_sets[] = {json_get(meta, "labels"), json_at(job, "spec", "template", "metadata", "labels", NULL)};
  for (int i = 0; i < 2; i++) {
    assert_string_equal(json_text(label_sets[i], LABEL_COMPONENT), component);
    assert_string_equal(json_text(label_sets[i], LABEL_SUBMISSION), "sub");
    assert_string_equal(json_text(label_sets[i], "app.kubernetes.io/managed-by"), "rl-arena");
  }
  json *owner = json_item(json_get(meta, "ownerReferences"), 0);
  assert_string_equal(json_text(owner, "uid"), "0f9d1c2b-0000");
  assert_string_equal(json_text(owner, "kind"), "Submission");
  assert_true(json_bool(owner, "controller", false));
  json *spec = json_get(job, "spec"), *pod = pod_of(job);
  assert_int_equal(json_int(spec, "backoffLimit", -1), 0);
  assert_int_equal(json_int(spec, "ttlSecondsAfterFinished", -1), 3600);
  assert_string_equal(json_text(pod, "restartPolicy"), "Never");
  assert_false(json_bool(pod, "automountServiceAccountToken", true));
  assert_false(json_bool(pod, "enableServiceLinks", true));
  assert_string_equal(json_text(json_at(pod, "securityContext", "seccompProfile", NULL), "type"), "RuntimeDefault");
}

static void a_build_of_an_inline_source(void **state) {
  (void)state;
  struct submission s = sample(SOURCE_INLINE);
  struct settings settings = plain();
  cleanup_json json *job = submission_build_job(&s, 3, 2, &settings);
  assert_frame(job, "sub-build-2", "build");
  assert_int_equal(json_int(pod_of(job), "activeDeadlineSeconds", -1), 900);
  assert_int_equal(json_int(json_get(job, "spec"), "activeDeadlineSeconds", -1), 86400 + 900);
  assert_args(job, "fetch", " inline --from /source --to /workspace --runtime-image runtime:1 --timeout 300 ");
  assert_args(job, "build",
              " --context=dir:///kaniko/buildcontext/context --dockerfile=/kaniko/buildcontext/Dockerfile ");
  assert_args(job, "build", " --no-push --oci-layout-path=/kaniko/built/image ");
  assert_no_args(job, "build", "destination");
  assert_args(job, "build", " --cache=true --cache-ttl=24h --cache-repo=oci:/kaniko/built/layer ");
  assert_args(job, "build", " --image-download-retry=3 ");
  assert_args(job, "build", " --build-arg=RUNTIME_IMAGE=runtime:1 ");
  assert_no_args(job, "build", "insecure");
  assert_no_args(job, "build", "skip-tls");
  assert_no_args(job, "build", "PIP_");
  assert_null(json_get(pod_of(job), "imagePullSecrets"));
  assert_string_equal(mount_of(job, "fetch", "workspace"), "/workspace");
  assert_string_equal(mount_of(job, "build", "workspace"), "/kaniko/buildcontext");
  assert_string_equal(mount_of(job, "build", "built"), "/kaniko/built");
  assert_args(job, "layers", " layers --to /built --timeout 60 --cache registry.test/agents/arena/ann/cache ");
  assert_args(job, "push",
              " push --from /built --to registry.test/agents/arena/ann:v3-0f9d1c2b --timeout 900 "
              "--cache registry.test/agents/arena/ann/cache ");
  json *source = json_get(named(json_get(pod_of(job), "volumes"), "source"), "configMap");
  assert_string_equal(json_text(source, "name"), "sub-source");
  json *item = json_item(json_get(source, "items"), 1);
  assert_string_equal(json_text(item, "key"), "f1");
  assert_string_equal(json_text(item, "path"), "model/net.py");
  assert_string_equal(json_text(container_of(job, "build"), "terminationMessagePolicy"), "FallbackToLogsOnError");
  assert_restricted(job, "fetch");
  assert_restricted(job, "layers");
  static const char *const all[] = {"fetch", "layers", "build", "push"};
  for (unsigned i = 0; i < array_size(all); i++) assert_limits(job, all[i], "2Gi");
}

static const char *name_at(json *job, const char *list, size_t i) {
  return json_text(json_item(json_get(pod_of(job), list), i), "name");
}

static void the_registry_is_spoken_to_before_and_after_the_authors_steps(void **state) {
  (void)state;
  struct submission s = sample(SOURCE_INLINE);
  struct settings settings = plain();
  cleanup_json json *job = submission_build_job(&s, 1, 1, &settings);
  static const char *const order[] = {"fetch", "layers", "build", NULL};
  for (size_t i = 0; i < array_size(order); i++) assert_true(text_equal(name_at(job, "initContainers", i), order[i]));
  assert_string_equal(name_at(job, "containers", 0), "push");
  assert_null(name_at(job, "containers", 1));
}

static void the_push_reads_what_root_wrote_and_can_do_nothing_else(void **state) {
  (void)state;
  struct submission s = sample(SOURCE_INLINE);
  struct settings settings = plain();
  cleanup_json json *job = submission_build_job(&s, 1, 1, &settings);
  json *push = container_of(job, "push"), *context = json_get(push, "securityContext");
  assert_int_equal(json_int(context, "runAsUser", -1), 0);
  assert_true(json_bool(context, "readOnlyRootFilesystem", false));
  assert_false(json_bool(context, "allowPrivilegeEscalation", true));
  assert_string_equal(json_object_get_string(json_item(json_at(context, "capabilities", "drop", NULL), 0)), "ALL");
  assert_null(json_at(context, "capabilities", "add", NULL));
  assert_true(json_bool(named(json_get(push, "volumeMounts"), "built"), "readOnly", false));
}

static void kaniko_is_root_with_as_little_as_it_can(void **state) {
  (void)state;
  struct submission s = sample(SOURCE_INLINE);
  struct settings settings = plain();
  cleanup_json json *job = submission_build_job(&s, 1, 1, &settings);
  json *context = json_get(container_of(job, "build"), "securityContext");
  assert_int_equal(json_int(context, "runAsUser", -1), 0);
  assert_false(json_bool(context, "allowPrivilegeEscalation", true));
  assert_false(json_bool(context, "privileged", false));
  assert_string_equal(json_object_get_string(json_item(json_at(context, "capabilities", "drop", NULL), 0)), "ALL");
  json *added = json_at(context, "capabilities", "add", NULL);
  assert_true(json_length(added) > 0);
  for (size_t i = 0; i < json_length(added); i++) {
    const char *name = json_object_get_string(json_item(added, i));
    assert_false(strstr(name, "SYS_") || strstr(name, "NET_") || text_equal(name, "ALL"));
  }
}

static void every_source_reaches_fetch_as_it_was_written(void **state) {
  (void)state;
  struct settings settings = plain();
  settings.fetch_allow_cidrs = (char *[]){"10.0.0.0/8", "fd00::/8"};
  settings.fetch_allow_cidr_count = 2;
  struct submission s = sample(SOURCE_ARCHIVE);
  s.url = "https://h.test/a.zip?x=$(HOSTNAME)&y=$$";
  s.sha256 = "00ff";
  s.format = "tar.gz";
  s.timeout_seconds = 60;
  cleanup_json json *archive = submission_build_job(&s, 1, 1, &settings);
  assert_args(archive, "fetch",
              " archive --url https://h.test/a.zip?x=$$(HOSTNAME)&y=$$$$ --sha256 00ff --format tar.gz ");
  assert_args(archive, "fetch", " --allow-cidr 10.0.0.0/8 --allow-cidr fd00::/8 --timeout 60 ");
  assert_null(named(json_get(pod_of(archive), "volumes"), "source"));

  s = sample(SOURCE_GIT);
  s.url = "https://h.test/r";
  s.ref = "main";
  cleanup_json json *git = submission_build_job(&s, 1, 1, &settings);
  assert_args(git, "fetch", " git --url https://h.test/r --ref main --to ");
  s.path = "agents/pong";
  cleanup_json json *folder = submission_build_job(&s, 1, 1, &settings);
  assert_args(folder, "fetch", " --ref main --path agents/pong --to ");
}

#define UPLOAD "http://api-server.rl-arena-system.svc:8081/internal/v1/sources/"

static bool mounts_token(json *job, const char *container) {
  return mount_of(job, container, "front-token") != NULL;
}

static void an_upload_is_fetched_with_a_token(void **state) {
  (void)state;
  struct submission s = sample(SOURCE_ARCHIVE);
  s.url = UPLOAD "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  s.sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  s.format = "zip";
  struct settings settings = plain();
  settings.front_url = "http://api-server.rl-arena-system.svc:8081";
  cleanup_json json *job = submission_build_job(&s, 1, 1, &settings);
  assert_args(job, "fetch",
              " --front-url http://api-server.rl-arena-system.svc:8081/internal/v1/sources "
              "--front-token-file /var/run/secrets/rl-arena-front/token ");
  assert_string_equal(json_text(pod_of(job), "serviceAccountName"), "fetch");
  assert_false(json_bool(pod_of(job), "automountServiceAccountToken", true));
  json *volume = named(json_get(pod_of(job), "volumes"), "front-token");
  json *token = json_get(json_item(json_at(volume, "projected", "sources", NULL), 0), "serviceAccountToken");
  assert_string_equal(json_text(token, "audience"), "rl-arena-front");
  assert_int_equal(json_int(token, "expirationSeconds", -1), 600);
  assert_string_equal(mount_of(job, "fetch", "front-token"), "/var/run/secrets/rl-arena-front");
  assert_false(mounts_token(job, "build"));
}

static void nothing_else_is_given_a_token(void **state) {
  (void)state;
  static char *const urls[] = {
      "http://api-server.rl-arena-system.svc:8081/internal/v1/replays/x",
      "http://api-server.rl-arena-system.svc:8081/internal/v1/sourcesx/y",
      "http://api-server.rl-arena-system.svc:8081/internal/v1/sources",
      "http://api-server.rl-arena-system.svc:80811/internal/v1/sources/x",
      "https://example.com/agent.zip",
      "https://example.com/" UPLOAD "x",
  };
  struct settings settings = plain();
  settings.front_url = "http://api-server.rl-arena-system.svc:8081";
  for (unsigned i = 0; i < array_size(urls) + 2; i++) {
    bool git = i == array_size(urls), without_front = i > array_size(urls);
    struct submission s = sample(git ? SOURCE_GIT : SOURCE_ARCHIVE);
    s.url = i < array_size(urls) ? urls[i] : UPLOAD "x";
    s.ref = "main";
    if (without_front) settings.front_url = NULL;
    cleanup_json json *job = submission_build_job(&s, 1, 1, &settings);
    assert_false(mounts_token(job, "fetch"));
    assert_null(named(json_get(pod_of(job), "volumes"), "front-token"));
    assert_null(json_text(pod_of(job), "serviceAccountName"));
    assert_no_args(job, "fetch", "--front");
  }
}

static void what_is_configured_is_given(void **state) {
  (void)state;
  struct submission s = sample(SOURCE_INLINE);
  struct settings settings = plain();
  settings.registry_insecure = true;
  settings.registry_secret = "push";
  settings.ca_config_map = "ca";
  settings.pip_index_url = "http://me:pw@10.77.0.1:8081/simple/";
  s.no_cache = true;
  cleanup_json json *job = submission_build_job(&s, 1, 1, &settings);
  assert_args(job, "build", " --cache=false ");
  assert_no_args(job, "build", "cache-repo");
  assert_null(container_of(job, "layers"));
  assert_no_args(job, "push", "--cache");
  assert_args(job, "build", " --insecure-pull --skip-tls-verify-pull ");
  assert_args(job, "push", " --insecure --credentials /etc/rl-arena/docker/config.json ");
  assert_args(job, "build", " --build-arg=PIP_INDEX_URL=http://me:pw@10.77.0.1:8081/simple/ ");
  assert_args(job, "build", " --build-arg=PIP_TRUSTED_HOST=10.77.0.1:8081 ");
  assert_args(job, "build", " --build-arg=PIP_CERT=/kaniko/buildcontext/authorities.crt ");
  assert_string_equal(mount_of(job, "push", "registry"), "/etc/rl-arena/docker");
  assert_string_equal(env_of(job, "push", "SSL_CERT_FILE"), "/etc/rl-arena/ca/ca.crt");
  assert_string_equal(mount_of(job, "build", "ca"), "/kaniko/ca");
  assert_string_equal(env_of(job, "build", "SSL_CERT_DIR"), "/kaniko/ssl/certs:/kaniko/ca");
  assert_string_equal(env_of(job, "fetch", "SSL_CERT_FILE"), "/etc/rl-arena/ca/ca.crt");
  assert_null(mount_of(job, "fetch", "registry"));  // not where strangers are talked to
  json *secret = json_get(named(json_get(pod_of(job), "volumes"), "registry"), "secret");
  assert_string_equal(json_text(json_item(json_get(secret, "items"), 0), "path"), "config.json");
  assert_string_equal(json_text(json_item(json_get(pod_of(job), "imagePullSecrets"), 0), "name"), "push");

  s.no_cache = false;
  cleanup_json json *cached = submission_build_job(&s, 1, 1, &settings);
  assert_args(cached, "layers", " --insecure --credentials /etc/rl-arena/docker/config.json ");
  assert_string_equal(mount_of(cached, "layers", "registry"), "/etc/rl-arena/docker");

  settings.pip_index_url = "https://index.test/simple/";
  cleanup_json json *trusted = submission_build_job(&s, 1, 1, &settings);
  assert_no_args(trusted, "build", "PIP_TRUSTED_HOST");
}

// Whatever is mounted where the author's steps run, they can read.
static void the_builder_has_no_account_that_pushes(void **state) {
  (void)state;
  struct submission s = sample(SOURCE_INLINE);
  struct settings settings = plain();
  settings.registry_secret = "push";
  cleanup_json json *job = submission_build_job(&s, 1, 1, &settings);
  json *mounts = json_get(container_of(job, "build"), "volumeMounts");
  assert_int_equal(json_length(mounts), 2);
  assert_non_null(named(mounts, "workspace"));
  assert_non_null(named(mounts, "built"));
  assert_null(json_get(container_of(job, "build"), "env"));
  assert_null(mount_of(job, "fetch", "registry"));

  settings.registry_pull_secret = "bases";
  cleanup_json json *with_bases = submission_build_job(&s, 1, 1, &settings);
  assert_null(mount_of(with_bases, "build", "registry"));
  assert_string_equal(mount_of(with_bases, "build", "bases"), "/kaniko/.docker");
  json *volume = json_get(named(json_get(pod_of(with_bases), "volumes"), "bases"), "secret");
  assert_string_equal(json_text(volume, "secretName"), "bases");
  assert_null(mount_of(with_bases, "push", "bases"));
}

static void a_scan_looks_at_the_image_by_digest(void **state) {
  (void)state;
  struct submission s = sample(SOURCE_INLINE);
  struct settings settings = plain();
  cleanup_json json *job = submission_scan_job(&s, "r.test/a@sha256:12", 4, &settings);
  assert_frame(job, "sub-scan-4", "scan");
  assert_args(job, "scan", " image --format=json --output=/report/report.json --scanners=vuln --image-src=remote ");
  assert_args(job, "scan", " --exit-code=0 ");
  assert_args(job, "scan", " r.test/a@sha256:12 ");
  assert_no_args(job, "scan", "--quiet");
  assert_no_args(job, "scan", "--insecure");
  assert_no_args(job, "scan", "--db-repository");
  assert_no_args(job, "scan", "offline");
  assert_args(job, "report", " report --from /report/report.json --db-metadata /cache/db/metadata.json ");
  assert_restricted(job, "scan");
  assert_restricted(job, "report");
  assert_limits(job, "scan", "1Gi");
  assert_limits(job, "report", "1Gi");
}

static void a_scan_gets_its_database_where_it_is_told(void **state) {
  (void)state;
  struct submission s = sample(SOURCE_IMAGE);
  struct settings settings = plain();
  settings.trivy_db_repository = "r.test/db:2";
  settings.registry_insecure = settings.trivy_offline = true;
  settings.registry_secret = "push";
  settings.ca_config_map = "ca";
  cleanup_json json *job = submission_scan_job(&s, "r.test/a:1", 1, &settings);
  assert_args(job, "scan", " --insecure --db-repository=r.test/db:2 --offline-scan --skip-java-db-update r.test/a:1 ");
  assert_string_equal(env_of(job, "scan", "DOCKER_CONFIG"), mount_of(job, "scan", "registry"));
  assert_string_equal(env_of(job, "scan", "SSL_CERT_DIR"), mount_of(job, "scan", "ca"));
  assert_string_equal(json_text(json_item(json_get(pod_of(job), "imagePullSecrets"), 0), "name"), "push");
  settings.trivy_server_url = "http://trivy:4954";
  cleanup_json json *remote = submission_scan_job(&s, "r.test/a:1", 1, &settings);
  assert_args(remote, "scan", " --server=http://trivy:4954 ");
  assert_no_args(remote, "scan", "--db-repository");
}

static json *parse(const char *text) {
  return json_parse(text, strlen(text), NULL);
}

static void an_inline_source_becomes_a_config_map(void **state) {
  (void)state;
  struct submission s = sample(SOURCE_INLINE);
  struct error e;
  cleanup_json json *object = parse(
      "{\"metadata\":{\"uid\":\"0f9d1c2b-0000\"},\"spec\":{\"source\":{\"inline\":{\"files\":{\"model/net.py\":\"two\","
      "\"agent.py\":\"one\\u0000\"}}}}}");
  cleanup_json json *map = submission_source(object, &s, &e);
  assert_non_null(map);
  assert_string_equal(json_text(json_get(map, "metadata"), "name"), "sub-source");
  assert_true(json_bool(map, "immutable", false));
  assert_string_equal(json_text(json_get(map, "data"), "f1"), "two");
  assert_int_equal(json_object_get_string_len(json_get(json_get(map, "data"), "f0")), 4);  // the NUL as well

  cleanup_json json *other = parse("{\"metadata\":{\"uid\":\"other\"},\"spec\":{}}");
  assert_null(submission_source(other, &s, &e));
  assert_int_equal(e.code, ERR_CONFLICT);
  cleanup_json json *empty = parse("{\"metadata\":{\"uid\":\"0f9d1c2b-0000\"},\"spec\":{}}");
  assert_null(submission_source(empty, &s, &e));
  assert_int_equal(e.code, ERR_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_build_of_an_inline_source),
      cmocka_unit_test(the_registry_is_spoken_to_before_and_after_the_authors_steps),
      cmocka_unit_test(the_push_reads_what_root_wrote_and_can_do_nothing_else),
      cmocka_unit_test(the_builder_has_no_account_that_pushes),
      cmocka_unit_test(kaniko_is_root_with_as_little_as_it_can),
      cmocka_unit_test(every_source_reaches_fetch_as_it_was_written),
      cmocka_unit_test(an_upload_is_fetched_with_a_token),
      cmocka_unit_test(nothing_else_is_given_a_token),
      cmocka_unit_test(what_is_configured_is_given),
      cmocka_unit_test(a_scan_looks_at_the_image_by_digest),
      cmocka_unit_test(a_scan_gets_its_database_where_it_is_told),
      cmocka_unit_test(an_inline_source_becomes_a_config_map),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
