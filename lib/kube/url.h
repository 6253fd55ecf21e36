// Where a request goes. Every part is escaped, so that a name can never leave its place in the path.
#pragma once

#include "base/str.h"
#include "kube/client.h"

// "/api/v1/namespaces/x/pods/y/log?query" behind the server's address.
void url_build(struct str *url, const char *server, const struct kube_request *r);

// "host:port" of a server address, for metrics.
char *url_host(const char *server);
