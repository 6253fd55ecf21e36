// Names of the custom resources that the front makes. Pure but for the random one.
#pragma once

#include "arena/names.h"

// "my-agent-1a2b3c": from what people call it, and six hex digits that depend on the user and the name (and `number`,
// for another one after an agent that was given another name has kept this): the same again for the same. 40 + 7
// characters.
void object_name_agent(char ret[NAME_SIZE], const char *username, const char *name, unsigned number);
// "m-" and 20 hex digits: of `key` by that user where the client gave one (a repeated request is one match), else
// random.
void object_name_match(char ret[NAME_SIZE], const char *username, const char *key);
