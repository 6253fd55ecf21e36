// The only door through which a source's files reach the disk: checks every name, counts files and bytes against the
// limits, and creates everything below one folder without ever following a link, whatever was written before.
//
// Files get mode 0644 or 0755 (with the program's umask of 022); owners, times, setuid bits and extended attributes are
// not taken over. Refused: a name twice, names that differ only in case (they would be one file elsewhere), a file
// where a folder is.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"

struct limits {
  int64_t max_bytes;  // all files together; also of a download
  size_t max_files;   // files, folders and links
};

struct tree;

struct tree *tree_new(int folder, const struct limits *limits);  // the descriptor stays the caller's
void tree_free(struct tree *t);

bool tree_folder(struct tree *t, const char *name, struct fault *f);
bool tree_link(struct tree *t, const char *name, const char *target, struct fault *f);

// A file is begun, written and ended; only one at a time.
bool tree_file(struct tree *t, const char *name, bool executable, struct fault *f);
bool tree_write(struct tree *t, const void *bytes, size_t length, struct fault *f);
bool tree_write_at(struct tree *t, int64_t offset, const void *bytes, size_t length,
                   struct fault *f);  // fills a gap with zeros
bool tree_file_end(struct tree *t, struct fault *f);

size_t tree_count(const struct tree *t);   // entries so far
int64_t tree_bytes(const struct tree *t);  // bytes so far
// Whether a link climbs to the root: then a single top-level folder cannot be taken away without breaking it.
bool tree_link_to_root(const struct tree *t);
