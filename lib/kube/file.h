// Small files: read whole, or kept in memory under a name that libraries can open.
#pragma once

#include <stddef.h>

#include "base/error.h"

// The whole file as a heap text (NUL added), its length in ret_length unless NULL. NULL and `e`
// when it cannot be read or is larger than `max`.
char *file_read(const char *path, size_t max, size_t *ret_length, struct error *e);

// An anonymous file in memory that holds the bytes; its path under /proc goes into ret_path (heap).
// Nothing is left behind whatever ends the process. Returns the descriptor, which keeps it alive; -1 and `e`.
int file_in_memory(const char *name, const void *bytes, size_t length, char **ret_path, struct error *e);

// Standard base64 with padding; white space is skipped. Heap bytes (NUL added); NULL when malformed.
unsigned char *file_decode_base64(const char *text, size_t *ret_length);
