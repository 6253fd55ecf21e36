// What Prometheus' client libraries tell about a process, from /proc.
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/metrics.h"

struct figures {
  uint64_t user_ticks, system_ticks, start_ticks;
  int64_t resident_pages;
};

static bool read_text(const char *path, char *ret, size_t size) {
  FILE *f = fopen(path, "re");
  if (!f) return false;
  size_t length = fread(ret, 1, size - 1, f);
  fclose(f);
  ret[length] = '\0';
  return length > 0;
}

static bool read_stat(struct figures *ret) {
  char text[1024];
  if (!read_text("/proc/self/stat", text, sizeof(text))) return false;
  const char *after_name = strrchr(text, ')');  // the name may hold anything, brackets too
  return after_name && sscanf(after_name + 1,
                              " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                              " %*d %*d %*d %*d %*d %*d %" SCNu64 " %*u %" SCNd64,
                              &ret->user_ticks, &ret->system_ticks, &ret->start_ticks, &ret->resident_pages) == 4;
}

// When the machine started, in seconds since 1970; 0 when unknown.
static uint64_t boot_time(void) {
  FILE *f = fopen("/proc/stat", "re");
  if (!f) return 0;
  char line[512];
  uint64_t seconds = 0;
  while (fgets(line, sizeof(line), f))
    if (sscanf(line, "btime %" SCNu64, &seconds) == 1) break;
  fclose(f);
  return seconds;
}

static int open_files(void) {
  DIR *d = opendir("/proc/self/fd");
  if (!d) return 0;
  int count = -1;  // the directory's own
  for (struct dirent *entry; (entry = readdir(d)) != NULL;)
    if (entry->d_name[0] != '.') count++;
  closedir(d);
  return count;
}

static void print(struct str *ret, const char *kind, const char *name, const char *help, double value) {
  char number[TEXT_DOUBLE_SIZE];
  str_add_format(ret, "# HELP %s %s\n# TYPE %s %s\n%s %s\n", name, help, name, kind, name, text_double(value, number));
}

void metrics_print_process(struct str *ret) {
  struct figures f;
  if (!read_stat(&f)) return;
  double ticks = (double)sysconf(_SC_CLK_TCK), page = (double)sysconf(_SC_PAGESIZE);
  print(ret, "counter", "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
        (double)(f.user_ticks + f.system_ticks) / ticks);
  print(ret, "gauge", "process_resident_memory_bytes", "Resident memory size in bytes.",
        (double)f.resident_pages * page);
  print(ret, "gauge", "process_open_fds", "Number of open file descriptors.", open_files());
  uint64_t boot = boot_time();
  if (boot)
    print(ret, "gauge", "process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
          (double)boot + (double)f.start_ticks / ticks);
}
