// What libgit2 does for fetch: index a pack as it comes, and read one commit's files out of it. All memory that libgit2
// takes is bounded, and nothing outside the pack is read: no configuration, no other objects.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

#include "fault.h"
#include "tree.h"

struct git_pack;

// Starts libgit2 and a pack in the folder (a path: libgit2 takes no descriptors).
struct git_pack *git_pack_new(const char *folder, msec deadline, struct fault *f);
void git_pack_free(struct git_pack *p);
bool git_pack_feed(void *pack, const char *bytes, size_t length, struct fault *f);
bool git_pack_end(struct git_pack *p, struct fault *f);
// Writes the files of a commit (or of the commit that a tag names) below `path` into the tree.
bool git_pack_checkout(struct git_pack *p, const char *hex, const char *path, struct tree *into, struct fault *f);
