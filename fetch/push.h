// What comes after the builder: its image goes to the registry, with the credentials that the builder never had, and
// the layers that it made for the next build (its cache) go there too, into a repository that is this agent's alone.
#pragma once

#include "options.h"

// The image in FROM/image to TO (host/name:tag). Its digest, of the bytes that were sent, goes into the message file.
bool push_image(const struct options *o, struct fault *f);
