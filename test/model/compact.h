// Small copies of JSON: json-c makes every object with room for 16 keys, and a snapshot copies it all.
#pragma once

#include "base/json.h"

json *compact(json *j);
