#pragma once

#include <stddef.h>

#include "scenario.h"

extern const struct scenario SCENARIOS_QUICK[], SCENARIOS_DEEP[];
extern const size_t SCENARIOS_QUICK_COUNT, SCENARIOS_DEEP_COUNT;
