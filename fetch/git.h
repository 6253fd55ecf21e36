// Brings one commit of a public git repository over HTTP(S). The protocol's two requests are made here, through
// download.h and its rules, with a depth of one where the server can; libgit2 checks and reads what came (packs, trees,
// files) and never opens a connection. Nothing of the repository is run or configured from: no hooks, no filters, no
// submodules, no LFS, no credentials.
#pragma once

#include <stdbool.h>

#include "download.h"
#include "tree.h"

struct git_source {
  const char *url;
  const char *ref;   // branch, tag, full name, or commit
  const char *path;  // the folder to take; NULL or "": all
};

// `work` is a private folder for the pack.
bool git_fetch(const struct network *network, const struct git_source *source, const struct limits *limits, int work,
               struct tree *into, struct fault *f);
