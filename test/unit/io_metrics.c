#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "io/metrics.h"

static int set_up(void **state) {
  *state = metrics_new();
  return 0;
}

static int tear_down(void **state) {
  metrics_free(*state);
  return 0;
}

static void assert_prints(const struct metrics *m, const char *expected) {
  cleanup_str struct str s = STR_INIT(1 << 20);
  metrics_print(m, &s);
  assert_false(s.failed);
  assert_string_equal(str_text(&s), expected);
}

static void counters_and_gauges_are_printed(void **state) {
  struct metrics *m = *state;
  struct metric *runs = metrics_counter(m, "arena_runs_total", "Runs by kind and result.", "kind,result");
  struct metric *depth = metrics_gauge(m, "arena_depth", "Keys that wait.", "");
  metric_add(runs, "Agent,success", 1);
  metric_add(runs, "Match,error", 2);
  metric_add(runs, "Agent,success", 0.5);
  metric_set(depth, "", 7);
  metric_add(depth, "", -2);
  assert_prints(m,
                "# HELP arena_runs_total Runs by kind and result.\n"
                "# TYPE arena_runs_total counter\n"
                "arena_runs_total{kind=\"Agent\",result=\"success\"} 1.5\n"
                "arena_runs_total{kind=\"Match\",result=\"error\"} 2\n"
                "# HELP arena_depth Keys that wait.\n"
                "# TYPE arena_depth gauge\n"
                "arena_depth 5\n");
}

static void what_never_happened_is_zero(void **state) {
  struct metrics *m = *state;
  metrics_counter(m, "a", "A.", "");
  metrics_counter(m, "b", "B.", "kind");
  assert_prints(m, "# HELP a A.\n# TYPE a counter\na 0\n# HELP b B.\n# TYPE b counter\n");
}

static void a_name_is_one_metric_whoever_asks_for_it(void **state) {
  struct metrics *m = *state;
  static const double bounds[] = {1};
  metric_add(metrics_counter(m, "adds_total", "Adds.", "name"), "a", 1);
  metric_add(metrics_counter(m, "adds_total", "Adds.", "name"), "b", 1);
  struct metric *first = metrics_histogram(m, "work_seconds", "Work.", "name", bounds, 1);
  assert_ptr_equal(first, metrics_histogram(m, "work_seconds", "Work.", "name", bounds, 1));
  assert_prints(
      m,
      "# HELP adds_total Adds.\n# TYPE adds_total counter\nadds_total{name=\"a\"} 1\nadds_total{name=\"b\"} 1\n"
      "# HELP work_seconds Work.\n# TYPE work_seconds histogram\n");
}

static void histograms_are_cumulative(void **state) {
  struct metrics *m = *state;
  const double bounds[] = {0.1, 1, 10};
  struct metric *h = metrics_histogram(m, "t", "T.", "kind", bounds, array_size(bounds));
  metric_observe(h, "x", 0.05);
  metric_observe(h, "x", 1);  // a bound belongs to its bucket
  metric_observe(h, "x", 5);
  metric_observe(h, "x", 50);
  assert_prints(m,
                "# HELP t T.\n"
                "# TYPE t histogram\n"
                "t_bucket{kind=\"x\",le=\"0.1\"} 1\n"
                "t_bucket{kind=\"x\",le=\"1\"} 2\n"
                "t_bucket{kind=\"x\",le=\"10\"} 3\n"
                "t_bucket{kind=\"x\",le=\"+Inf\"} 4\n"
                "t_sum{kind=\"x\"} 56.05\n"
                "t_count{kind=\"x\"} 4\n");
}

static void a_histogram_needs_no_labels(void **state) {
  struct metrics *m = *state;
  const double bounds[] = {1};
  metrics_histogram(m, "t", "T.", "", bounds, 1);
  assert_prints(m,
                "# HELP t T.\n# TYPE t histogram\n"
                "t_bucket{le=\"1\"} 0\nt_bucket{le=\"+Inf\"} 0\nt_sum 0\nt_count 0\n");
}

static void odd_values_are_escaped_or_filled(void **state) {
  struct metrics *m = *state;
  struct metric *c = metrics_counter(m, "a", "A.", "x,y");
  metric_add(c, "a\"b\\c\nd,", 1);
  metric_add(c, "one", 1);
  metric_add(c, "one,two,three", 1);
  assert_prints(m,
                "# HELP a A.\n# TYPE a counter\n"
                "a{x=\"a\\\"b\\\\c\\nd\",y=\"\"} 1\n"
                "a{x=\"one\",y=\"\"} 1\n"
                "a{x=\"one\",y=\"two\"} 1\n");
}

static void series_are_bounded(void **state) {
  struct metrics *m = *state;
  struct metric *c = metrics_counter(m, "a", "A.", "x,y");
  for (int i = 0; i < 5000; i++) {
    char values[32];
    snprintf(values, sizeof(values), "%d,v", i);
    metric_add(c, values, 1);
  }
  metric_add(c, "5,v", 1);  // a known one goes on
  cleanup_str struct str s = STR_INIT(1 << 20);
  metrics_print(m, &s);
  size_t lines = 0;
  for (const char *at = str_text(&s); (at = strchr(at, '\n')) != NULL; at++) lines++;
  assert_int_equal(lines, 2 + 1000 + 1);
  assert_non_null(strstr(str_text(&s), "a{x=\"other\",y=\"other\"} 4000\n"));
  assert_non_null(strstr(str_text(&s), "a{x=\"5\",y=\"v\"} 2\n"));
}

static double value_of(const struct str *s, const char *name) {
  char start[128];
  snprintf(start, sizeof(start), "\n%s ", name);
  const char *at = strstr(str_text(s), start);
  if (!at) fail_msg("no %s", name);
  return strtod(at + strlen(start), NULL);
}

static void the_process_is_described(void **state) {
  (void)state;
  cleanup_str struct str s = STR_INIT(1 << 16);
  metrics_print_process(&s);
  assert_true(value_of(&s, "process_resident_memory_bytes") > 100 * 1024);
  assert_true(value_of(&s, "process_cpu_seconds_total") >= 0);
  double started = value_of(&s, "process_start_time_seconds"), now = (double)clock_now() / 1000;
  assert_true(started > now - 3600 && started < now + 5);
  double before = value_of(&s, "process_open_fds");
  FILE *f = tmpfile();
  str_clear(&s);
  metrics_print_process(&s);
  fclose(f);
  assert_true(value_of(&s, "process_open_fds") == before + 1);
}

#define with_metrics(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      with_metrics(counters_and_gauges_are_printed),
      with_metrics(what_never_happened_is_zero),
      with_metrics(a_name_is_one_metric_whoever_asks_for_it),
      with_metrics(histograms_are_cumulative),
      with_metrics(a_histogram_needs_no_labels),
      with_metrics(odd_values_are_escaped_or_filled),
      with_metrics(series_are_bounded),
      cmocka_unit_test(the_process_is_described),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
