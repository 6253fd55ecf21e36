// Who listens to what: topics by name, each with its listeners, each listener with its topics. Joining, leaving and
// going away cost the same however many listen.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct topics;
struct topic;

// One listener in one topic: in the topic's list, and in the one that its owner keeps.
struct membership {
  struct topic *topic;
  void *owner;
  struct membership *previous, *next;  // of the topic
  struct membership *sibling;          // of the owner
  char *alias;                         // what the client called the topic, NULL: by its name
};

// `changed`: a topic has its first listener (wanted), or has lost its last. May be NULL. It must not join or leave.
typedef void topics_changed_fn(void *context, const char *name, bool wanted);
struct topics *topics_new(topics_changed_fn *changed, void *context);
void topics_free(struct topics *t);  // nobody listens any more

// False: it listens already.
bool topics_join(struct topics *t, struct membership **list, void *owner, const char *name, const char *alias);
bool topics_leave(struct topics *t, struct membership **list, const char *name_or_alias);  // false: it did not listen
void topics_leave_all(struct topics *t, struct membership **list);

const struct membership *topics_first(const struct topics *t, const char *name);  // then ->next
size_t topics_count(const struct topics *t, const char *name);                    // listeners
const char *topic_name(const struct topic *t);
