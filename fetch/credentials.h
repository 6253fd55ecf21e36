// A registry's user and password out of a Secret of type kubernetes.io/dockerconfigjson, as a file.
#pragma once

#include "fault.h"

// "user:password" for the repository on the host, heap; NULL without a fault when the file names none. Of several
// entries of one host the one with the longest path that the repository lies in counts, as for the kubelet.
char *credentials_read(const char *path, const char *host, const char *repository, struct fault *f);
char *credentials_find(const char *text, size_t length, const char *host, const char *repository);
