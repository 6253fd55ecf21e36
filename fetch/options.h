// The command line. Everything comes from the controller; nothing from the source.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

#include "front.h"
#include "registry.h"
#include "tree.h"
#include "unpack.h"

enum mode { MODE_INLINE, MODE_ARCHIVE, MODE_GIT, MODE_REPORT, MODE_LAYERS, MODE_PUSH };
enum { OPTIONS_CIDRS = 64 };

struct options {
  enum mode mode;
  const char *from;   // inline, report; push: the folder that the builder left
  const char *to;     // the workspace; layers: the builder's folder; push: host/name:tag
  const char *cache;  // layers, push: the repository of kept layers; NULL: none
  struct registry_options registry;
  const char *url, *sha256, *ref, *path;
  enum unpack_format format;
  struct front front;
  const char *runtime_image;
  const char *message_file;  // NULL: /dev/termination-log
  const char *db_metadata, *scanner_version;
  struct limits limits;
  int timeout_seconds;
  struct cidr allowed[OPTIONS_CIDRS];
  size_t allowed_count;
};

// Texts are borrowed from argv. On a mistake: one line to stderr, false.
bool options_parse(int argc, char **argv, struct options *ret);
