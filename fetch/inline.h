// Copies the source of an inline submission out of a mounted ConfigMap. Its files are reached through the kubelet's
// `..data` link; any other link is refused.
#pragma once

#include <stdbool.h>

#include "fault.h"
#include "tree.h"

bool inline_copy(const char *from, struct tree *into, struct fault *f);
