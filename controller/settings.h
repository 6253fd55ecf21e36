// The controller's configuration: environment variables, each checked at start. docs/configuration.md
// is tested against the table in settings.c.
#pragma once

#include "base/error.h"

struct settings {
  char *namespace;  // K8S_NAMESPACE
  char *pod_namespace, *pod_name;
  char *registry;        // CONTAINER_REGISTRY_URL, without scheme and trailing slash
  char *executor_url;    // EXECUTOR_URL with scheme
  char *executor_token;  // NULL: the executor asks for none
  char *fetch_image, *builder_image, *scanner_image, *runtime_image;
  bool registry_insecure;
  char *registry_secret, *registry_pull_secret, *ca_config_map;  // NULL: none
  char *trivy_db_repository, *trivy_server_url;
  bool trivy_offline;
  char *pip_index_url;
  char *front_url;  // without trailing slash; NULL: there is no front
  char **fetch_allow_cidrs;
  unsigned fetch_allow_cidr_count;
  char *agent_runtime_class;
  char *listen_address;
  bool leader_elect;
  char *build_cpu, *build_memory, *build_disk, *scan_memory, *agent_cpu, *agent_memory;
  int log_level, log_format;
};

// Reads the environment. ERR_INVALID names the variable, what it holds and what it should.
enum error_code settings_load(struct settings *ret, struct error *e);
void settings_done(struct settings *s);
// The table's variables in order, for the check of docs/configuration.md: the name, NULL after the last, and
// the default (NULL: the variable must be set; "": none).
const char *settings_variable(unsigned i, const char **ret_default);
