// The layers that builds of one agent keep for its next ones. Kaniko reads and writes each as a folder "layer:<key>"
// (an image layout with one layer; --cache-repo=oci:.../layer); here they come from and go to a repository of the
// registry, as images with the key as tag, and an index "latest" of those that are still good. All of it is the
// agent's own: what its author could put in is taken by nobody else's build. Losing them costs time only, so nothing
// here fails: it says what went wrong and goes on.
#pragma once

#include "layout.h"
#include "options.h"
#include "registry.h"

// From the repository CACHE into the folder TO, before the builder runs.
void layers_bring(const struct options *o);
// From the folder to CACHE, after it: those that are younger than 24 hours.
void layers_keep(const struct options *o, int folder);

// The layout's parts and its manifest under a tag; the manifest's text, heap. push.c
char *push_layout(struct registry *r, const struct layout *l, const char *tag, struct fault *f);
