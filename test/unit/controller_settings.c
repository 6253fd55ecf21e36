// The environment: defaults, what is refused and in which words, and that the documentation knows all of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

#include "settings.h"

static const char *const required[][2] = {
    {"CONTAINER_REGISTRY_URL", "https://registry.test:5000/agents/"},
    {"FETCH_IMAGE", "registry.test/fetch:1"},
    {"BUILDER_IMAGE", "registry.test/kaniko@sha256:0123"},
    {"SCANNER_IMAGE", "registry.test/trivy"},
    {"RUNTIME_IMAGE", "10.77.0.1:5000/rl-arena/agent-runtime:dev"},
};

static int setup(void **state) {
  (void)state;
  const char *ignored;
  for (unsigned i = 0; settings_variable(i, &ignored); i++) unsetenv(settings_variable(i, &ignored));
  for (unsigned i = 0; i < array_size(required); i++) setenv(required[i][0], required[i][1], 1);
  return 0;
}

static void what_is_not_set_has_a_default(void **state) {
  (void)state;
  struct settings s;
  assert_int_equal(settings_load(&s, NULL), ERR_NONE);
  assert_string_equal(s.namespace, "rl-arena");
  assert_string_equal(s.registry, "registry.test:5000/agents");
  assert_string_equal(s.executor_url, "http://executor.rl-arena-system.svc:50051");
  assert_string_equal(s.build_memory, "2Gi");
  assert_string_equal(s.listen_address, "0.0.0.0:8080");
  assert_true(s.leader_elect && !s.registry_insecure && !s.trivy_offline);
  assert_null(s.registry_secret);
  assert_null(s.ca_config_map);
  assert_null(s.pip_index_url);
  assert_null(s.front_url);
  assert_non_null(s.pod_name);
  assert_int_equal(s.fetch_allow_cidr_count, 0);
  assert_int_equal(s.log_level, LOG_INFO);
  assert_int_equal(s.log_format, LOG_JSON);
  settings_done(&s);
}

static void what_is_set_is_taken(void **state) {
  (void)state;
  static const char *const set[][2] = {
      {"K8S_NAMESPACE", "games"},
      {"POD_NAME", "controller-0"},
      {"REGISTRY_INSECURE", "true"},
      {"REGISTRY_SECRET", "push.secret"},
      {"REGISTRY_PULL_SECRET", "bases"},
      {"FETCH_ALLOW_CIDRS", "10.0.0.0/8, fd00::/8 ,"},
      {"LEADER_ELECT", "false"},
      {"LOG_LEVEL", "debug"},
      {"LOG_FORMAT", "text"},
      {"FRONT_URL", "http://api-server.rl-arena-system.svc:8081/"},
      {"BUILD_CPU", "1.5"},
      {"AGENT_MEMORY", ""},
  };
  for (unsigned i = 0; i < array_size(set); i++) setenv(set[i][0], set[i][1], 1);
  struct settings s;
  struct error e = {0};
  if (settings_load(&s, &e) != ERR_NONE) fail_msg("%s", e.text);
  assert_string_equal(s.namespace, "games");
  assert_string_equal(s.pod_name, "controller-0");
  assert_string_equal(s.registry_secret, "push.secret");
  assert_string_equal(s.registry_pull_secret, "bases");
  assert_true(s.registry_insecure && !s.leader_elect);
  assert_int_equal(s.fetch_allow_cidr_count, 2);
  assert_string_equal(s.fetch_allow_cidrs[0], "10.0.0.0/8");
  assert_string_equal(s.fetch_allow_cidrs[1], "fd00::/8");
  assert_int_equal(s.log_level, LOG_DEBUG);
  assert_int_equal(s.log_format, LOG_TEXT);
  assert_string_equal(s.front_url, "http://api-server.rl-arena-system.svc:8081");
  assert_string_equal(s.build_cpu, "1.5");
  assert_string_equal(s.agent_memory, "512Mi");  // empty is not set
  settings_done(&s);
}

static void the_account_that_pushes_is_not_given_to_builds(void **state) {
  (void)state;
  setenv("REGISTRY_SECRET", "registry", 1);
  setenv("REGISTRY_PULL_SECRET", "registry", 1);
  struct settings s;
  struct error e = {0};
  assert_int_equal(settings_load(&s, &e), ERR_INVALID);
  assert_non_null(strstr(e.text, "REGISTRY_PULL_SECRET is \"registry\", as REGISTRY_SECRET is"));
}

static void a_wrong_value_is_refused_by_name(void **state) {
  (void)state;
  static const struct {
    const char *variable, *value, *text;
  } cases[] = {
      {"FETCH_IMAGE", "",
       "FETCH_IMAGE is not set; it must be an image reference such as registry.example.com/rl-arena/fetch:v1"},
      {"REGISTRY_INSECURE", "yes", "REGISTRY_INSECURE is \"yes\", but must be true or false"},
      {"K8S_NAMESPACE", "Games",
       "K8S_NAMESPACE is \"Games\", but must be a Kubernetes name: lower-case letters, digits and '-'"},
      {"CONTAINER_REGISTRY_URL", "https://Registry.test", NULL},
      {"CONTAINER_REGISTRY_URL", "ftp://registry.test", NULL},
      {"EXECUTOR_URL", "executor:50051", NULL},
      {"EXECUTOR_URL", "http://", NULL},
      {"EXECUTOR_TOKEN", "nobody-may-read-this-one",
       "EXECUTOR_TOKEN must be 32 to 512 printable characters without blanks; it holds something else (not shown: it "
       "may have a password)"},
      {"EXECUTOR_TOKEN", "0123456789abcdef 0123456789abcdef", NULL},
      {"FRONT_URL", "api-server:8081", NULL},
      {"FETCH_ALLOW_CIDRS", "10.0.0.0", NULL},
      {"FETCH_ALLOW_CIDRS", "10.0.0.0/33", NULL},
      {"FETCH_ALLOW_CIDRS", "::/129", NULL},
      {"LISTEN_ADDRESS", "8080", NULL},
      {"LISTEN_ADDRESS", "0.0.0.0:0", NULL},
      {"LISTEN_ADDRESS", "0.0.0.0:65536", NULL},
      {"BUILD_MEMORY", "0", NULL},
      {"BUILD_MEMORY", "-1Gi", NULL},
      {"BUILD_MEMORY", "two", NULL},
      {"BUILD_MEMORY", "2gb", NULL},
      {"TRIVY_DB_REPOSITORY", "trivy-db", NULL},
      {"LOG_LEVEL", "loud", NULL},
      {"AGENT_RUNTIME_CLASS", "g visor", NULL},
  };
  for (unsigned i = 0; i < array_size(cases); i++) {
    setup(NULL);
    setenv(cases[i].variable, cases[i].value, 1);
    struct settings s;
    struct error e = {0};
    if (settings_load(&s, &e) != ERR_INVALID) fail_msg("%s=%s was taken", cases[i].variable, cases[i].value);
    assert_true(text_starts(e.text, cases[i].variable));
    if (cases[i].text) assert_string_equal(e.text, cases[i].text);
  }
}

static void a_password_in_an_address_stays_out_of_the_log(void **state) {
  (void)state;
  setenv("PIP_INDEX_URL", "https://user:secret@host with space/", 1);
  struct settings s;
  struct error e = {0};
  assert_int_equal(settings_load(&s, &e), ERR_INVALID);
  assert_null(strstr(e.text, "secret"));
}

// docs/configuration.md has a line "| `NAME` | default | ..." for each variable.
static void the_documentation_has_every_variable_with_its_default(void **state) {
  (void)state;
  const char *root = getenv("ARENA_SOURCE_ROOT");
  assert_non_null(root);
  cleanup_free char *path = mem_printf("%s/docs/configuration.md", root);
  FILE *file = fopen(path, "r");
  if (!file) fail_msg("%s cannot be read", path);
  struct str text = STR_INIT(1 << 20);
  char bytes[4096];
  for (size_t n; (n = fread(bytes, 1, sizeof(bytes), file)) > 0;) str_add_bytes(&text, bytes, n);
  fclose(file);
  const char *otherwise;
  for (unsigned i = 0; settings_variable(i, &otherwise); i++) {
    const char *name = settings_variable(i, &otherwise);
    cleanup_free char *shown = !otherwise    ? mem_strdup("required")
                               : !*otherwise ? mem_strdup("none")
                                             : mem_printf("`%s`", otherwise);
    cleanup_free char *row = mem_printf("\n| `%s` | %s |", name, shown);
    if (!strstr(str_text(&text), row)) fail_msg("docs/configuration.md lacks the row%s", row);
  }
  str_done(&text);
}

int main(void) {
#define with_environment(f) cmocka_unit_test_setup(f, setup)
  const struct CMUnitTest tests[] = {
      with_environment(what_is_not_set_has_a_default),
      with_environment(what_is_set_is_taken),
      with_environment(a_wrong_value_is_refused_by_name),
      with_environment(the_account_that_pushes_is_not_given_to_builds),
      with_environment(a_password_in_an_address_stays_out_of_the_log),
      with_environment(the_documentation_has_every_variable_with_its_default),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
