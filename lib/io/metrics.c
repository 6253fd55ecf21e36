#include "io/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"

enum { SERIES_MAX = 1000 };
enum kind { COUNTER, GAUGE, HISTOGRAM };

struct series {
  double value;  // the sum of a histogram
  uint64_t count;
  uint64_t buckets[];  // not cumulative; those above the last bound are in `count` alone
};

struct metric {
  struct metric *next;
  enum kind kind;
  const char *name, *help, *labels;
  double *bounds;
  size_t bound_count;
  struct map *series;  // label values -> struct series
};

struct metrics {
  struct metric *first, **last;
};

struct metrics *metrics_new(void) {
  struct metrics *m = mem_alloc(sizeof(*m));
  m->last = &m->first;
  return m;
}

void metrics_free(struct metrics *m) {
  if (!m) return;
  for (struct metric *metric = m->first, *next; metric; metric = next) {
    next = metric->next;
    map_free(metric->series);
    free(metric->bounds);
    free(metric);
  }
  free(m);
}

// Every label's value once more when there are too many: "other,other".
static struct series *series_of(struct metric *m, const char *values) {
  struct series *s = map_get(m->series, values);
  if (s) return s;
  struct str other = STR_INIT(1024);
  if (map_count(m->series) >= SERIES_MAX && *m->labels) {
    str_add(&other, "other");
    for (const char *c = strchr(m->labels, ','); c; c = strchr(c + 1, ',')) str_add(&other, ",other");
    values = str_text(&other);
    s = map_get(m->series, values);
  }
  if (!s) {
    s = mem_alloc(sizeof(*s) + m->bound_count * sizeof(s->buckets[0]));
    map_put(m->series, values, s);
  }
  str_done(&other);
  return s;
}

// A name is one metric, whoever asks for it: several work queues share theirs, told apart by a label.
static struct metric *add(struct metrics *m, enum kind kind, const char *name, const char *help, const char *labels) {
  for (struct metric *old = m->first; old; old = old->next) {
    if (strcmp(old->name, name) != 0) continue;
    assert(old->kind == kind && strcmp(old->labels, labels) == 0);
    return old;
  }
  struct metric *metric = mem_alloc(sizeof(*metric));
  metric->kind = kind;
  metric->name = name;
  metric->help = help;
  metric->labels = labels;
  metric->series = map_new(free);
  *m->last = metric;
  m->last = &metric->next;
  return metric;
}

struct metric *metrics_counter(struct metrics *m, const char *name, const char *help, const char *labels) {
  struct metric *metric = add(m, COUNTER, name, help, labels);
  if (!*labels) series_of(metric, "");  // what never happened is shown as 0
  return metric;
}

struct metric *metrics_gauge(struct metrics *m, const char *name, const char *help, const char *labels) {
  struct metric *metric = add(m, GAUGE, name, help, labels);
  if (!*labels) series_of(metric, "");
  return metric;
}

struct metric *metrics_histogram(struct metrics *m, const char *name, const char *help, const char *labels,
                                 const double *bounds, size_t bound_count) {
  struct metric *metric = add(m, HISTOGRAM, name, help, labels);
  if (metric->bounds) return metric;
  metric->bounds = mem_grow(NULL, bound_count, sizeof(*bounds));
  metric->bound_count = bound_count;
  for (size_t i = 0; i < bound_count; i++) metric->bounds[i] = bounds[i];
  if (!*labels) series_of(metric, "");
  return metric;
}

void metric_add(struct metric *m, const char *values, double amount) {
  assert(m->kind == GAUGE || (m->kind == COUNTER && amount >= 0));
  series_of(m, values)->value += amount;
}

void metric_set(struct metric *m, const char *values, double value) {
  assert(m->kind == GAUGE);
  series_of(m, values)->value = value;
}

void metric_observe(struct metric *m, const char *values, double value) {
  assert(m->kind == HISTOGRAM);
  struct series *s = series_of(m, values);
  s->value += value;
  s->count++;
  for (size_t i = 0; i < m->bound_count; i++) {
    if (value > m->bounds[i]) continue;
    s->buckets[i]++;
    return;
  }
}

// ---- text ----

static void add_escaped(struct str *ret, const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (text[i] == '\n')
      str_add(ret, "\\n");
    else if (text[i] == '"' || text[i] == '\\')
      str_add_format(ret, "\\%c", text[i]);
    else
      str_add_bytes(ret, text + i, 1);
  }
}

// {name="value",...,le="bound"}; nothing without labels. A missing value is "", one too many is left out.
static void add_labels(struct str *ret, const char *names, const char *values, const char *bound) {
  if (!*names && !bound) return;
  str_add(ret, "{");
  while (*names) {
    size_t name_length = strcspn(names, ","), value_length = strcspn(values, ",");
    str_add_bytes(ret, names, name_length);
    str_add(ret, "=\"");
    add_escaped(ret, values, value_length);
    names += name_length + (names[name_length] == ',');
    values += value_length + (values[value_length] == ',');
    str_add(ret, *names || bound ? "\"," : "\"");
  }
  if (bound) str_add_format(ret, "le=\"%s\"", bound);
  str_add(ret, "}");
}

static void print_value(struct str *ret, const struct metric *m, const char *values, const struct series *s) {
  char number[TEXT_DOUBLE_SIZE];
  str_add(ret, m->name);
  add_labels(ret, m->labels, values, NULL);
  str_add_format(ret, " %s\n", text_double(s->value, number));
}

static void print_histogram(struct str *ret, const struct metric *m, const char *values, const struct series *s) {
  char number[TEXT_DOUBLE_SIZE];
  uint64_t below = 0;
  for (size_t i = 0; i <= m->bound_count; i++) {
    bool last = i == m->bound_count;
    below = last ? s->count : below + s->buckets[i];
    str_add_format(ret, "%s_bucket", m->name);
    add_labels(ret, m->labels, values, last ? "+Inf" : text_double(m->bounds[i], number));
    str_add_format(ret, " %" PRIu64 "\n", below);
  }
  str_add_format(ret, "%s_sum", m->name);
  add_labels(ret, m->labels, values, NULL);
  str_add_format(ret, " %s\n%s_count", text_double(s->value, number), m->name);
  add_labels(ret, m->labels, values, NULL);
  str_add_format(ret, " %" PRIu64 "\n", s->count);
}

void metrics_print(const struct metrics *m, struct str *ret) {
  static const char *const kinds[] = {"counter", "gauge", "histogram"};
  for (const struct metric *metric = m->first; metric; metric = metric->next) {
    str_add_format(ret, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name, kinds[metric->kind]);
    map_each (metric->series, e) {
      if (metric->kind == HISTOGRAM)
        print_histogram(ret, metric, map_key(e), map_value(e));
      else
        print_value(ret, metric, map_key(e), map_value(e));
    }
  }
}
