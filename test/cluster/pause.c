// The first process of every Pod: holds the Pod's namespaces and waits.
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void leave(int number) {
  (void)number;
  _exit(0);
}

int main(void) {
  signal(SIGTERM, leave);
  signal(SIGINT, leave);
  signal(SIGCHLD, SIG_IGN);  // orphans of a shared process namespace are reaped by the kernel
  for (;;) pause();
}
