// Any bytes as a kubeconfig: a configuration, or a sentence that says why not.
#include <stdlib.h>

#include "kube/config.h"

#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct error e = {0};
  struct kube_config *c = kube_config_parse((const char *)data, size, "/dir", &e);
  if ((c == NULL) != (e.text[0] != 0)) abort();
  kube_config_free(c);
  return 0;
}
