// A zip archive with one file in it, made while the file passes. The same file gives the same archive.
#pragma once

#include <stddef.h>

struct zip_one;
typedef void zip_one_fn(void *context, const void *bytes, size_t length);

struct zip_one *zip_one_new(const char *name, zip_one_fn *out, void *context);
void zip_one_write(struct zip_one *z, const void *bytes, size_t length);
void zip_one_end(struct zip_one *z);  // the rest goes out; then only zip_one_free
void zip_one_free(struct zip_one *z);
