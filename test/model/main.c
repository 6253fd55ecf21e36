// The state model of the controller: see docs/reliability.md, "The state model".
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#include "explore.h"
#include "heap.h"
#include "model.h"
#include "scenarios.h"

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  bool deep = false, small = false;
  const char *only = NULL;
  size_t limit = (size_t)1 << 31;
  int faults = -1, lag = -1;
  bool any = false, split = false, slow = false;
  uint32_t may = 0, results = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--deep") == 0)
      deep = true;
    else if (strcmp(argv[i], "--small") == 0)
      small = true;
    else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
      only = argv[++i];
    else if (strcmp(argv[i], "--any") == 0)
      any = true;
    else if (strcmp(argv[i], "--split") == 0)
      split = true;
    else if (strcmp(argv[i], "--slow") == 0)
      slow = true;
    else if (strcmp(argv[i], "--may") == 0 && i + 1 < argc)
      may = (uint32_t)strtoul(argv[++i], NULL, 0);
    else if (strcmp(argv[i], "--results") == 0 && i + 1 < argc)
      results = (uint32_t)strtoul(argv[++i], NULL, 0);
    else if (strcmp(argv[i], "--faults") == 0 && i + 1 < argc)
      faults = atoi(argv[++i]);
    else if (strcmp(argv[i], "--lag") == 0 && i + 1 < argc)
      lag = atoi(argv[++i]);
    else if (strcmp(argv[i], "--limit") == 0 && i + 1 < argc)
      limit = strtoull(argv[++i], NULL, 10);
  }
  log_setup(LOG_ERROR, LOG_TEXT);
  char text[CLOCK_TEXT_SIZE];
  clock_format(1, text);  // the C library keeps what it learns about time zones
  heap_init();
  const struct scenario *all = deep ? SCENARIOS_DEEP : SCENARIOS_QUICK;
  const size_t count = deep ? SCENARIOS_DEEP_COUNT : SCENARIOS_QUICK_COUNT;
  int failed = 0;
  size_t explored = 0;
  for (size_t i = 0; i < count; i++) {
    if (only && strcmp(only, all[i].name) != 0) continue;
    if (small && !all[i].small) continue;
    const double begun = seconds();
    struct scenario scenario = all[i];
    scenario.any = scenario.any || any;
    scenario.split = scenario.split || split;
    scenario.slow_gc = scenario.slow_pods = slow || scenario.slow_gc;
    if (may) scenario.may = may;
    if (results) scenario.results = results;
    if (faults >= 0) scenario.faults = (unsigned)faults;
    for (unsigned c = 0; c < CACHE_COUNT && lag >= 0; c++) scenario.lag[c] = (unsigned)lag;
    const struct outcome_of_run r = explore(&scenario, limit);
    const double took = seconds() - begun;
    printf("%s %zu - %s # %zu states, %zu steps, %zu at rest, depth %zu, %.1f s%s\n", r.ok ? "ok" : "not ok",
           ++explored, all[i].name, r.states, r.edges, r.settled, r.deepest, took, r.complete ? "" : ", NOT COMPLETE");
    fflush(stdout);
    failed += !r.ok;
  }
  return failed > 0;
}
