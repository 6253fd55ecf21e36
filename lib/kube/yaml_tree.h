// A YAML document as a small tree, bounded in depth and number of nodes. Anchors and aliases are
// refused, so that a document is never larger than its text.
#pragma once

#include <stddef.h>

#include "base/error.h"

enum yaml_kind { YAML_TEXT, YAML_MAP, YAML_LIST };

struct yaml_tree {
  enum yaml_kind kind;
  char *key;   // in a map
  char *text;  // of YAML_TEXT
  struct yaml_tree *first, *next;
};

enum { YAML_DEPTH_MAX = 16, YAML_NODES_MAX = 20000 };

// The first document; NULL and `e` when it is none, is empty or is out of bounds.
struct yaml_tree *yaml_tree_parse(const char *text, size_t length, struct error *e);
void yaml_tree_free(struct yaml_tree *t);

// Getters take NULL and what is of another kind as absent.
struct yaml_tree *yaml_tree_get(struct yaml_tree *map, const char *key);
const char *yaml_tree_text(struct yaml_tree *map, const char *key);  // NULL when absent or empty
