// What the API server says when it refuses: Status objects, in answers and in watch events.
#pragma once

#include "base/error.h"
#include "base/json.h"

// As kube_status_to_error, from a parsed Status (NULL without one). http_status 0: the object's `code`.
enum error_code status_object_to_error(json *status, int http_status, int retry_after_ms, struct error *e);
