// The only door to the network: HTTP and HTTPS by libcurl. The address of every connection is judged when its socket is
// opened, after the name was resolved and again for every redirect, so that neither a name nor a redirect can lead
// where base/address.h forbids. No proxy from the environment, no other scheme; and no credentials, except to the
// arena's own front (front.h), whose answers lead nowhere else.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/clock.h"

#include "fault.h"
#include "front.h"

struct network {
  const struct cidr *allowed;
  size_t allowed_count;
  struct front front;
  msec deadline;  // on clock_monotonic; for all requests together
};

struct request {
  const char *url;
  const char *post;  // a body makes it a POST, which follows no redirect; NULL: GET
  size_t post_length;
  const char *content_type;  // of the body
  const char *accept;        // NULL: anything
  int64_t max_bytes;         // of the answer's body
  // Gets the body as it comes; false (with a fault) ends the transfer.
  bool (*sink)(void *context, const char *bytes, size_t length, struct fault *f);
  void *context;
};

// Checks a URL before anything else is done with it: http or https, a host, no user or password, not too long.
bool download_check_url(const char *url, struct fault *f);

// Runs the request. `ret_url` (may be NULL) gets the heap copy of the URL that answered, after redirects.
bool download_run(const struct network *network, const struct request *request, char **ret_url, struct fault *f);

// Downloads to the descriptor and checks the body's SHA-256 (64 hex digits).
bool download_file(const struct network *network, const char *url, const char *sha256, int64_t max_bytes, int fd,
                   struct fault *f);
