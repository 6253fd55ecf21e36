#include "hub_topics.h"

#include <assert.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"

struct topic {
  char *name;
  struct membership *first;
  size_t count;
};

struct topics {
  struct map *by_name;
  topics_changed_fn *changed;
  void *context;
};

struct topics *topics_new(topics_changed_fn *changed, void *context) {
  struct topics *t = mem_alloc(sizeof *t);
  t->by_name = map_new(NULL);
  t->changed = changed;
  t->context = context;
  return t;
}

void topics_free(struct topics *t) {
  if (t == NULL) return;
  assert(map_count(t->by_name) == 0);
  map_free(t->by_name);
  free(t);
}

static void tell(struct topics *t, const char *name, bool wanted) {
  if (t->changed != NULL) t->changed(t->context, name, wanted);
}

static bool is_in(const struct membership *list, const struct topic *topic) {
  for (; list != NULL; list = list->sibling)
    if (list->topic == topic) return true;
  return false;
}

bool topics_join(struct topics *t, struct membership **list, void *owner, const char *name, const char *alias) {
  struct topic *topic = map_get(t->by_name, name);
  if (topic != NULL && is_in(*list, topic)) return false;
  const bool is_new = topic == NULL;
  if (is_new) {
    topic = mem_alloc(sizeof *topic);
    topic->name = mem_strdup(name);
    map_put(t->by_name, name, topic);
  }
  struct membership *m = mem_alloc(sizeof *m);
  m->topic = topic;
  m->owner = owner;
  m->alias = alias != NULL && !text_equal(alias, name) ? mem_strdup(alias) : NULL;
  m->next = topic->first;
  if (m->next != NULL) m->next->previous = m;
  topic->first = m;
  topic->count++;
  m->sibling = *list;
  *list = m;
  if (is_new) tell(t, name, true);
  return true;
}

// Out of the topic; the caller has taken it out of the owner's list.
static void end(struct topics *t, struct membership *take_membership) {
  struct membership *m = take_membership;
  struct topic *topic = m->topic;
  *(m->previous != NULL ? &m->previous->next : &topic->first) = m->next;
  if (m->next != NULL) m->next->previous = m->previous;
  free(m->alias);
  free(m);
  if (--topic->count > 0) return;
  map_take(t->by_name, topic->name);
  tell(t, topic->name, false);
  free(topic->name);
  free(topic);
}

bool topics_leave(struct topics *t, struct membership **list, const char *name_or_alias) {
  for (struct membership **at = list; *at != NULL; at = &(*at)->sibling) {
    struct membership *m = *at;
    const bool found =
        text_equal(m->topic->name, name_or_alias) || (m->alias != NULL && text_equal(m->alias, name_or_alias));
    if (!found) continue;
    *at = m->sibling;
    end(t, m);
    return true;
  }
  return false;
}

void topics_leave_all(struct topics *t, struct membership **list) {
  while (*list != NULL) {
    struct membership *m = *list;
    *list = m->sibling;
    end(t, m);
  }
}

const struct membership *topics_first(const struct topics *t, const char *name) {
  const struct topic *topic = map_get(t->by_name, name);
  return topic != NULL ? topic->first : NULL;
}

size_t topics_count(const struct topics *t, const char *name) {
  const struct topic *topic = map_get(t->by_name, name);
  return topic != NULL ? topic->count : 0;
}

const char *topic_name(const struct topic *t) {
  return t->name;
}
