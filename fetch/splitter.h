// Reads a JSON document of any size in pieces of any size, in constant memory, checks that it is whole, and hands out
// the few values that someone asked for by path. A value handed out is JSON text again, made small: strings are cut at
// SPLITTER_STRING bytes, containers inside it are null, bytes that are no UTF-8 are "?".
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fault.h"

enum {
  SPLITTER_DEPTH = 64,
  SPLITTER_PATH = 5,          // keys in a wanted path
  SPLITTER_STRING = 1024,     // of a string's text, escapes as written
  SPLITTER_VALUE = 64 << 10,  // of a value handed out; a larger one refuses the document
};

// A path ends with NULL; "*" is any element of an array. The paths' order gives their index.
typedef const char *splitter_path[SPLITTER_PATH + 1];

// False ends the reading.
typedef bool splitter_fn(void *context, size_t path, const char *text, size_t length, struct fault *f);

struct splitter;

struct splitter *splitter_new(const splitter_path *paths, size_t count, splitter_fn *found, void *context);
void splitter_free(struct splitter *s);
bool splitter_feed(struct splitter *s, const char *bytes, size_t length, struct fault *f);
bool splitter_end(struct splitter *s, struct fault *f);  // refuses a document that is not whole
