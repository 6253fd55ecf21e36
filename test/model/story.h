// How a state came about, in words, made as short as can be found.
#pragma once

#include "graph.h"
#include "heap.h"

// `why` NULL: the contradiction that the state itself shows.
void story_tell(const struct snapshot *root, const struct graph *g, uint32_t id, const char *why);
// Goes on without faults, by chance, until nothing is left to do. False: it does not end, or not well.
bool story_drain(uint64_t seed, bool aloud);
