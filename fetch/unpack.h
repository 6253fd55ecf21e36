// Unpacks a zip or tar.gz into a tree. Nothing in the archive is trusted: see docs/builds.md for what is refused.
#pragma once

#include <stdbool.h>

#include "fault.h"
#include "tree.h"

enum unpack_format { UNPACK_ZIP, UNPACK_TAR_GZ };

// Reads the archive from a descriptor that can seek (it stays the caller's).
bool unpack_archive(int fd, enum unpack_format format, struct tree *into, struct fault *f);
