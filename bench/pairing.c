// How long one pass of the matchmaker takes over 1,000 to 100,000 waiting agents.
//
// usage: pairing [FILE]             prints a table; with FILE also writes it there as JSON
//        pairing --entries COUNT    prints the entries of `spread`: tab-separated, what another way to
//                                   pair has to start from (pairing.py)
//
// Three crowds: `spread` is what is to be expected (Elo normal around 1500, half of the agents have
// a recent opponent, a tenth as many owners as agents); `newcomers` all have the same Elo and
// entered within a minute; `one owner` has agents that all wait long and that nobody suits.
#include "arena/pairing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

enum { RUNS = 10, NAME_ROOM = 32 };
static const size_t sizes[] = {1000, 3000, 10000, 30000, 100000};

enum crowd { SPREAD, NEWCOMERS, ONE_OWNER };
static const char *const crowd_names[] = {"spread", "newcomers", "one owner"};
static const msec now = INT64_C(1767225600000);
static const struct pairing_rules rules = {
    .range = 100, .step = 100, .max_range = 500, .widen_seconds = 30, .max_pairs = -1};

static uint64_t random_state;

static uint32_t random_below(uint32_t n) {
  random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)((random_state >> 33) % n);
}

static double random_normal(void) {
  double sum = 0;
  for (int i = 0; i < 12; i++) sum += random_below(1000000) / 1e6;
  return sum - 6;
}

struct input {
  struct pairing_agent *agents;
  char (*ids)[NAME_ROOM], (*owners)[NAME_ROOM];
  struct pairing_recent *recent;
  size_t count;
};

static void print_recent(FILE *entries, const char *a, const char *b) {
  if (entries) fprintf(entries, "recent\t%s\t%s\n", a, b);
}

static void print_agent(FILE *entries, const struct pairing_agent *a) {
  if (!entries) return;
  fprintf(entries, "agent\t%s\t%s\t%d\t%d\t%u\t%lld\n", a->id, a->owner, a->elo,
          pairing_range(&rules, a->enqueued, now), a->priority, (long long)a->enqueued);
}

// The same crowd of the same size is the same each time; with `entries` it is also printed there.
static struct input input_new(enum crowd crowd, size_t count, FILE *entries) {
  random_state = 20260101;
  struct input in = {.agents = mem_alloc(count * sizeof(*in.agents)),
                     .ids = mem_alloc(count * sizeof(*in.ids)),
                     .owners = mem_alloc(count * sizeof(*in.owners)),
                     .recent = pairing_recent_new(),
                     .count = count};
  for (size_t i = 0; i < count; i++) {
    snprintf(in.ids[i], NAME_ROOM, "agent-%zu", i * 7919 % count);
    snprintf(in.owners[i], NAME_ROOM, "user-%u", crowd == ONE_OWNER ? 0 : random_below((uint32_t)count / 10));
    in.agents[i] = (struct pairing_agent){
        .id = in.ids[i],
        .owner = in.owners[i],
        .elo = crowd == NEWCOMERS ? 1500 : (int32_t)lround(1500 + 200 * random_normal()),
        .priority = crowd == SPREAD ? (uint8_t)(1 + random_below(10)) : 5,
        .enqueued = now - random_below(crowd == NEWCOMERS ? 60000 : 300000) - (crowd == ONE_OWNER ? 600000 : 0),
        .room = 1,
    };
    print_agent(entries, &in.agents[i]);
  }
  for (size_t i = 0; crowd == SPREAD && i < count / 4; i++) {
    const char *a = in.ids[random_below((uint32_t)count)], *b = in.ids[random_below((uint32_t)count)];
    pairing_recent_add(in.recent, a, b);
    print_recent(entries, a, b);
  }
  return in;
}

static void input_done(struct input *in) {
  free(in->agents);
  free(in->ids);
  free(in->owners);
  pairing_recent_free(in->recent);
}

static double milliseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void print_json(FILE *json, enum crowd crowd, size_t count, size_t made, const double times[RUNS]) {
  if (!json) return;
  fprintf(json, "%s  {\"crowd\":\"%s\",\"agents\":%zu,\"pairs\":%zu,\"times\":[",
          crowd == SPREAD && count == sizes[0] ? "\n" : ",\n", crowd_names[crowd], count, made);
  for (int run = 0; run < RUNS; run++) fprintf(json, "%s%.4f", run ? "," : "", times[run]);
  fputs("]}", json);
}

static void measure(enum crowd crowd, size_t count, FILE *json) {
  struct input in = input_new(crowd, count, NULL);
  struct pairing_pair *pairs = mem_alloc(count * sizeof(*pairs));
  double times[RUNS];
  size_t made = 0;
  for (int run = 0; run < RUNS; run++) {
    double start = milliseconds();
    made = pairing_run(in.agents, count, &rules, in.recent, now, pairs, count);
    times[run] = milliseconds() - start;
  }
  qsort(times, RUNS, sizeof(*times), compare);
  double median = (times[RUNS / 2 - 1] + times[RUNS / 2]) / 2;
  printf("%-10s %7zu agents %6zu pairs   min %8.3f   median %8.3f   max %8.3f ms\n", crowd_names[crowd], count, made,
         times[0], median, times[RUNS - 1]);
  print_json(json, crowd, count, made, times);
  free(pairs);
  input_done(&in);
}

static void print_machine(void) {
  char line[256];
  FILE *f = fopen("/proc/cpuinfo", "r");
  while (f && fgets(line, sizeof(line), f))
    if (strncmp(line, "model name", 10) == 0) {
      printf("machine: %s", strchr(line, ':') ? strchr(line, ':') + 2 : line);
      break;
    }
  if (f) fclose(f);
  printf("compiler: %s, %s; %d runs each\n", __VERSION__,
#ifdef __OPTIMIZE__
         "optimized",
#else
         "not optimized",
#endif
         RUNS);
}

static int print_entries(size_t count) {
  struct input in = input_new(SPREAD, count, stdout);
  input_done(&in);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--entries") == 0) return print_entries(strtoul(argv[2], NULL, 10));
  FILE *json = argc > 1 ? fopen(argv[1], "w") : NULL;
  if (argc > 1 && !json) {
    perror(argv[1]);
    return 1;
  }
  print_machine();
  if (json) fprintf(json, "{\"benchmark\":\"pairing\",\"unit\":\"ms\",\"runs\":%d,\"results\":[", RUNS);
  for (enum crowd crowd = SPREAD; crowd <= ONE_OWNER; crowd++)
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) measure(crowd, sizes[i], json);
  if (json) fprintf(json, "\n]}\n");
  if (json && fclose(json) != 0) {
    perror(argv[1]);
    return 1;
  }
  return 0;
}
