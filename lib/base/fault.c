#include "base/fault.h"

#include <fcntl.h>
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
  const char *list = getenv("FAULT_LIST"), *at = getenv("FAULT_AT"), *other = getenv("FAULT_SIGNAL");
  passed++;
  if (list != NULL) {
    char line[1024];
    snprintf(line, sizeof(line) - 1, "%s %s %s", when, what, which);
    append(list, strcat(line, "\n"));
  }
  if (at == NULL || atol(at) != passed) return;
  raise(other != NULL && strcmp(other, "STOP") == 0 ? SIGSTOP : SIGKILL);
}
