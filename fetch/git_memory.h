// Bounds all memory of libgit2: a pack can claim objects of any size, and deltas that grow without end.
#pragma once

#include <stdbool.h>
#include <stddef.h>

void git_memory_limit(size_t bytes);  // before git_libgit2_init
bool git_memory_exceeded(void);       // an allocation was refused
