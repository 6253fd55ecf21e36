#include "progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"

static const msec INTERVAL = 1000;

static bool due(void) {
  static msec last;
  msec now = clock_monotonic();
  if (last && now - last < INTERVAL) return false;
  bool first = last == 0;
  last = now;
  return !first;  // what is done within the first second needs no line
}

void progress_step(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  putchar('\n');
  fflush(stdout);
}

void progress_downloaded(int64_t bytes, int64_t total) {
  if (!due()) return;
  if (total > 0) {
    progress_step("downloading: %.1f of %.1f MiB", (double)bytes / (1 << 20), (double)total / (1 << 20));
  } else {
    progress_step("downloading: %.1f MiB", (double)bytes / (1 << 20));
  }
}

void progress_unpacked(size_t files, int64_t bytes) {
  if (due()) progress_step("unpacking: %zu files, %.1f MiB", files, (double)bytes / (1 << 20));
}

void progress_objects(unsigned received, unsigned total, int64_t bytes) {
  if (due()) progress_step("receiving: %u of %u objects, %.1f MiB", received, total, (double)bytes / (1 << 20));
}
