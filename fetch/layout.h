// An image in a folder, as the builder leaves it (OCI image layout). The builder runs an author's steps as root, so
// whatever lies there may be meant to hurt who reads it: links, pipes, endless files, other contents than their names
// say. Nothing is used before its kind, size and SHA-256 were compared with what refers to it, and the manifest that is
// pushed is written anew from what was read here.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

#include "fault.h"

enum {
  LAYOUT_LAYERS = 512,
  LAYOUT_MANIFEST_MAX = 4 << 20,  // what registries take
  LAYOUT_CONFIG_MAX = 8 << 20,
  LAYOUT_DIGEST = 72,  // "sha256:", 64 hex digits, NUL
};

struct blob {
  char digest[LAYOUT_DIGEST];
  const char *media_type;  // one of a short list; static
  int64_t size;
};

struct image {
  const char *media_type;  // of its manifest; static
  struct blob config;
  struct blob layers[LAYOUT_LAYERS];
  unsigned layer_count;
};

bool layout_is_digest(const char *text);  // "sha256:" and 64 lower-case hex digits

// A manifest's bytes; `max_bytes` is of its configuration and layers together. Refuses everything but an image whose
// layers are in the registry itself (none "from elsewhere", as foreign layers are).
bool image_parse(const char *bytes, size_t length, int64_t max_bytes, struct image *ret, struct fault *f);
// The same image's manifest with nothing else in it.
char *image_manifest(const struct image *image);
void layout_digest(const void *bytes, size_t length, char ret[LAYOUT_DIGEST]);

struct layout {
  int blobs;  // the folder blobs/sha256
  msec created;
  struct image image;
};

// The one image in folder/name; false with a fault (refused) when it is none.
bool layout_open(int folder, const char *name, int64_t max_bytes, struct layout *ret, struct fault *f);
void layout_close(struct layout *l);
#define cleanup_layout __attribute__((cleanup(layout_close)))
#define LAYOUT_NONE ((struct layout){.blobs = -1})

// The blob's file at its start, whose SHA-256 is right; -1 with a fault otherwise.
int layout_blob(const struct layout *l, const struct blob *b, struct fault *f);
