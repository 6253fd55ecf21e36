#include "yaml_tree.h"

#include <string.h>

#include <yaml.h>

#include "base/memory.h"
#include "base/str.h"

// Where the next node goes: the containers that are open, and in a map the key that waits for its value.
struct builder {
  struct yaml_tree *root;
  struct yaml_tree *open[YAML_DEPTH_MAX];
  struct yaml_tree *last[YAML_DEPTH_MAX];  // of each open one's children
  char *key[YAML_DEPTH_MAX];
  int depth;
  int nodes;
};

void yaml_tree_free(struct yaml_tree *t) {
  while (t != NULL) {
    struct yaml_tree *next = t->next;
    yaml_tree_free(t->first);
    free(t->key);
    if (t->text != NULL) explicit_bzero(t->text, strlen(t->text));  // may be a key or a token
    free(t->text);
    free(t);
    t = next;
  }
}

static enum error_code add_node(struct builder *b, enum yaml_kind kind, const char *text, size_t length,
                                struct error *e) {
  if (++b->nodes > YAML_NODES_MAX) return error_set(e, ERR_TOO_LARGE, "more than %d values", YAML_NODES_MAX);
  if (kind != YAML_TEXT && b->depth == YAML_DEPTH_MAX)
    return error_set(e, ERR_TOO_LARGE, "nested deeper than %d", YAML_DEPTH_MAX);

  int top = b->depth - 1;
  struct yaml_tree *parent = top >= 0 ? b->open[top] : NULL;
  if (parent != NULL && parent->kind == YAML_MAP && b->key[top] == NULL) {
    if (kind != YAML_TEXT) return error_set(e, ERR_INVALID, "a key is not a text");
    b->key[top] = mem_strndup(text, length);
    return ERR_NONE;
  }
  struct yaml_tree *node = mem_alloc(sizeof *node);
  node->kind = kind;
  if (kind == YAML_TEXT) node->text = mem_strndup(text, length);
  if (parent == NULL) {
    b->root = node;
  } else {
    node->key = b->key[top];
    b->key[top] = NULL;
    *(b->last[top] != NULL ? &b->last[top]->next : &parent->first) = node;
    b->last[top] = node;
  }
  if (kind == YAML_TEXT) return ERR_NONE;
  b->open[b->depth] = node;
  b->last[b->depth] = NULL;
  b->key[b->depth] = NULL;
  b->depth++;
  return ERR_NONE;
}

static enum error_code take_event(struct builder *b, const yaml_event_t *event, struct error *e) {
  switch (event->type) {
    case YAML_ALIAS_EVENT: return error_set(e, ERR_INVALID, "aliases (*name) are not supported");
    case YAML_SCALAR_EVENT:
      if (memchr(event->data.scalar.value, 0, event->data.scalar.length) != NULL)
        return error_set(e, ERR_INVALID, "a value has a NUL character");
      return add_node(b, YAML_TEXT, (const char *)event->data.scalar.value, event->data.scalar.length, e);
    case YAML_MAPPING_START_EVENT: return add_node(b, YAML_MAP, NULL, 0, e);
    case YAML_SEQUENCE_START_EVENT: return add_node(b, YAML_LIST, NULL, 0, e);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT: b->depth--; return ERR_NONE;
    default: return ERR_NONE;
  }
}

static enum error_code build(yaml_parser_t *parser, struct builder *b, struct error *e) {
  for (;;) {
    yaml_event_t event;
    if (!yaml_parser_parse(parser, &event))
      return error_set(e, ERR_INVALID, "line %zu: %s", parser->problem_mark.line + 1,
                       parser->problem != NULL ? parser->problem : "not YAML");
    bool end = event.type == YAML_DOCUMENT_END_EVENT || event.type == YAML_STREAM_END_EVENT;
    size_t line = event.start_mark.line + 1;
    enum error_code code = take_event(b, &event, e);
    yaml_event_delete(&event);
    if (code != ERR_NONE) return error_prefix(e, "line %zu", line);
    if (end) return ERR_NONE;
  }
}

struct yaml_tree *yaml_tree_parse(const char *text, size_t length, struct error *e) {
  yaml_parser_t parser;
  if (!yaml_parser_initialize(&parser)) {
    error_set(e, ERR_INTERNAL, "libyaml cannot start");
    return NULL;
  }
  yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
  struct builder b = {0};
  struct error why = {0};
  enum error_code code = build(&parser, &b, &why);
  yaml_parser_delete(&parser);
  for (int i = 0; i < b.depth; i++) free(b.key[i]);
  if (code == ERR_NONE && b.root == NULL) code = error_set(&why, ERR_INVALID, "the document is empty");
  if (code == ERR_NONE) return b.root;
  yaml_tree_free(b.root);
  if (e != NULL) *e = why;
  return NULL;
}

struct yaml_tree *yaml_tree_get(struct yaml_tree *map, const char *key) {
  if (map == NULL || map->kind != YAML_MAP) return NULL;
  for (struct yaml_tree *t = map->first; t != NULL; t = t->next)
    if (text_equal(t->key, key)) return t;
  return NULL;
}

const char *yaml_tree_text(struct yaml_tree *map, const char *key) {
  struct yaml_tree *t = yaml_tree_get(map, key);
  return t != NULL && t->kind == YAML_TEXT && t->text[0] != 0 ? t->text : NULL;
}
