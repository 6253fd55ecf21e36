// One repository of a registry, over the OCI distribution API: what pushing an image and keeping a build's layers need.
// The registry is the operator's own and is trusted with the password; nobody else gets it. Faults that may pass are
// tried three times.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

#include "fault.h"
#include "layout.h"

#define TYPE_INDEX "application/vnd.oci.image.index.v1+json"

struct registry_options {
  const char *credentials;  // a config.json; NULL: none
  bool insecure;            // plain http, or https that is not verified
  msec deadline;            // on clock_monotonic
};

struct registry;

// `repository` is host[:port]/name. Asks the registry who may come in, and shows the password. NULL with a fault.
struct registry *registry_open(const char *repository, const struct registry_options *o, struct fault *f);
void registry_close(struct registry *r);

// The blob's bytes from the file (whose SHA-256 was checked) unless they are there already.
bool registry_put_blob(struct registry *r, const struct blob *b, int fd, struct fault *f);
bool registry_put_manifest(struct registry *r, const char *tag, const char *media_type, const char *text,
                           struct fault *f);

// The manifest by tag or digest; with `ret` empty when there is none.
bool registry_get_manifest(struct registry *r, const char *reference, const char *accept, struct str *ret,
                           struct fault *f);
// The blob into the file; false when it is not what its digest says.
bool registry_get_blob(struct registry *r, const struct blob *b, int fd, struct fault *f);
