// Texts that come again and again in what is kept: "Ready", a namespace, a sentence that every object has. The
// program keeps them once, for good, and only short ones and a bounded number of them, so that nobody's input can
// fill the memory.
#pragma once

#include <stddef.h>

// The one copy of a text that came often, for this caller and all others; NULL for one that did not, is too long, or
// is beyond what is kept.
const char *repeated(const char *text, size_t length);
