// What Kaniko gets: `context/` (the source) and `Dockerfile` beside it, in the workspace; authorities.h adds a file.
#pragma once

#include <stdbool.h>

#include "fault.h"

#define CONTEXT_WORK ".fetch"  // private folder in the workspace while fetch runs

// Opens the workspace, clears what an earlier run left there and makes CONTEXT_WORK. -1 with a fault otherwise.
int context_begin(const char *workspace, struct fault *f);

// Moves the finished source from `folder` (inside CONTEXT_WORK) to `context`. A single top-level folder that has
// agent.py or a Dockerfile is the source itself. Then writes the Dockerfile: the source's own, or one made for
// `runtime_image`. `link_to_root`: see tree_link_to_root.
bool context_finish(int workspace, const char *folder, bool link_to_root, const char *runtime_image, struct fault *f);

// Removes CONTEXT_WORK.
void context_end(int workspace);
