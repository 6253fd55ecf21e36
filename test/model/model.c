#include "model.h"

#include "base/memory.h"

#include "hash.h"

struct model *model;

void model_new(const struct scenario *s) {
  model = mem_alloc(sizeof(*model));
  *model = (struct model){.scenario = s,
                          .now = 1800000000000,
                          .faults_left = s->faults,
                          .ticks_left = s->ticks,
                          .version = 1,
                          .born = map_new(NULL),
                          .metrics = metrics_new()};
  model->settings = (struct settings){.namespace = "arena",
                                      .pod_namespace = "system",
                                      .pod_name = "controller-0",
                                      .registry = "registry.test/agents",
                                      .executor_url = "http://executor:50051",
                                      .fetch_image = "fetch:1",
                                      .builder_image = "kaniko:1",
                                      .scanner_image = "trivy:1",
                                      .runtime_image = "runtime:1",
                                      .trivy_db_repository = "registry.test/db:2",
                                      .build_cpu = "1",
                                      .build_memory = "1Gi",
                                      .build_disk = "1Gi",
                                      .scan_memory = "1Gi",
                                      .agent_cpu = "100m",
                                      .agent_memory = "128Mi"};
  ledger_new();
  s->begin();
  controller_start();
}
