// Counters, gauges and histograms in Prometheus text format. One registry for each program;
// metrics are created at start and live to its end. Label values are bounded words.
#pragma once

#include <stddef.h>

#include "base/str.h"

struct metrics;
struct metric;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

// `labels`: comma separated names, "" without any. `name` and `help` must outlive the registry. Asking
// again for a name gives the metric that has it; kind and labels must be the same.
struct metric *metrics_counter(struct metrics *m, const char *name, const char *help, const char *labels);
struct metric *metrics_gauge(struct metrics *m, const char *name, const char *help, const char *labels);
// `bounds`: ascending upper bounds, without +Inf.
struct metric *metrics_histogram(struct metrics *m, const char *name, const char *help, const char *labels,
                                 const double *bounds, size_t bound_count);

// Label values in the order of the names, comma separated as well ("Agent,success"); "" without labels.
// At most 1,000 series for each metric; more are counted under "other".
void metric_add(struct metric *m, const char *values, double amount);
void metric_set(struct metric *m, const char *values, double value);
void metric_observe(struct metric *m, const char *values, double value);

void metrics_print(const struct metrics *m, struct str *ret);
// process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds, process_start_time_seconds
void metrics_print_process(struct str *ret);
