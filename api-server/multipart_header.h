// The texts inside multipart headers: a boundary, a name, a file's name. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#include "multipart.h"

// The boundary of a Content-Type; ERR_INVALID when it is another type or has none that may be.
bool multipart_boundary(const char *content_type, char ret[MULTIPART_BOUNDARY_MAX + 1], struct error *e);

struct multipart_disposition {
  char name[MULTIPART_NAME_MAX + 1];
  char filename[MULTIPART_NAME_MAX + 1];
  bool has_name, has_filename;
};
// The value of a Content-Disposition; ERR_INVALID when it is no form-data, or a name is no text.
bool multipart_disposition(const char *value, struct multipart_disposition *ret, struct error *e);
