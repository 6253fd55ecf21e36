#include "base/fault.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// One write for a line: what was passed is in the file, whenever the process ends.
static void append(const char *file, const char *line) {
  int descriptor = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor < 0 || write(descriptor, line, strlen(line)) < 0) {
    perror("FAULT_LIST");
    abort();  // a walk over an incomplete list would leave places out and not say so
  }
  close(descriptor);
}

void fault_point(const char *when, const char *what, const char *which) {
  static long passed;
  const char *list = getenv("FAULT_LIST"), *at = getenv("FAULT_AT"), *only = getenv("FAULT_ONLY");
  const char *other = getenv("FAULT_SIGNAL");
  char name[1024], line[1026];
  snprintf(name, sizeof(name), "%s %s %s", when, what, which);
  snprintf(line, sizeof(line), "%s\n", name);
  if (list != NULL) append(list, line);
  if (only != NULL && fnmatch(only, name, 0) != 0) return;
  passed++;
  if (at == NULL || atol(at) != passed) return;
  raise(other != NULL && strcmp(other, "STOP") == 0 ? SIGSTOP : SIGKILL);
}
