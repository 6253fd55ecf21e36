// The arena's own front: the one server that gets a credential, and the one that may be inside the cluster without
// being listed. Uploaded sources are there, below one address.
#pragma once

#include <stdbool.h>

#include "fault.h"

struct front {
  const char *url;         // everything below it is the front's; NULL: there is none
  const char *token_file;  // of the Pod's service account
};

// Whether `url` is the front's: the same scheme, host and port, and one or more further steps of plain characters
// behind its path. Nothing that could mean another path to another reader (escapes, dots, a query) counts.
bool front_has(const struct front *front, const char *url);

// The header to send it, "Authorization: Bearer ..."; heap, caller frees. NULL with a fault when there is no token.
char *front_authorization(const struct front *front, struct fault *f);

// What its answer means: an answer with 200 is fine. What is no fault of the author's may pass.
bool front_judge(long status, struct fault *f);
