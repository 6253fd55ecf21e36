// Lines on stdout for whoever looks at the Pod's log: which step, how far. At most one a second for the same step.
#pragma once

#include <stddef.h>
#include <stdint.h>

void progress_step(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_downloaded(int64_t bytes, int64_t total);  // total 0: not told
void progress_unpacked(size_t files, int64_t bytes);
void progress_objects(unsigned received, unsigned total, int64_t bytes);
