#include "arena/conditions.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arena/intern.h"
#include "base/memory.h"
#include "base/str.h"

#include "codec.h"

enum { TYPE_MAX = 64 };

static const char *const status_words[] = {"Unknown", "True", "False"};

static struct condition *find(const struct conditions *c, const char *type) {
  for (unsigned i = 0; i < c->count; i++)
    if (strcmp(c->items[i].type, type) == 0) return &c->items[i];
  return NULL;
}

static struct condition *add(struct conditions *c, const char *interned_type) {
  c->items = mem_grow(c->items, c->count + 1, sizeof(*c->items));
  struct condition *item = &c->items[c->count++];
  *item = (struct condition){.type = interned_type};
  return item;
}

// The schema's pattern for a reason.
static bool is_reason(const char *text) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  static const char inner[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_,:";
  size_t length = text ? strnlen(text, BOUND_WORD + 1) : 0;
  return length > 0 && length <= BOUND_WORD && strchr(letters, text[0]) && strspn(text, inner) == length &&
         !strchr(",:", text[length - 1]);
}

void conditions_decode(json *status, struct conditions *ret) {
  *ret = (struct conditions){0};
  json *list = json_get(status, "conditions");
  for (size_t i = 0; i < json_length(list) && ret->count < CONDITIONS_MAX; i++) {
    json *o = json_item(list, i);
    const char *type = json_text(o, "type"), *reason = json_text(o, "reason");
    if (text_empty(type) || strlen(type) > TYPE_MAX || find(ret, type)) continue;
    struct condition *item = add(ret, intern_input(type));
    item->status =
        (enum condition_status)codec_enum(o, "status", status_words, array_size(status_words), CONDITION_UNKNOWN);
    item->reason = is_reason(reason) ? intern_input(reason) : intern("Unknown");
    item->message = text_bounded(json_text(o, "message"), BOUND_SENTENCE);
    item->changed = json_time(o, "lastTransitionTime");
    item->observed = codec_int64(o, "observedGeneration", 0, CODEC_INT53_MAX, 0);
  }
}

json *conditions_encode(const struct conditions *c) {
  json *list = json_new_array();
  for (unsigned i = 0; i < c->count; i++) {
    const struct condition *item = &c->items[i];
    json *o = json_push_object(list);
    json_add_text(o, "type", item->type);
    json_add_text(o, "status", status_words[item->status]);
    codec_add_nonzero(o, "observedGeneration", item->observed);
    // All of these are required by the schema, so also a time that was never set is written.
    json_add_time(o, "lastTransitionTime", item->changed ? item->changed : 1000);
    json_add_text(o, "reason", item->reason);
    char *message cleanup_free = text_bounded(item->message ? item->message : "", BOUND_SENTENCE);
    json_add_text(o, "message", message);
  }
  return list;
}

void conditions_owned(struct owned *o, struct conditions *c) {
  owned_array(o, &c->items, c->count * sizeof(*c->items));
  for (unsigned i = 0; i < c->count; i++) owned_text(o, &c->items[i].message);
  owned_array_end(o, &c->items);
}

static void any_conditions_owned(struct owned *o, void *conditions) {
  conditions_owned(o, conditions);
}

void conditions_copy(struct conditions *ret, const struct conditions *from) {
  *ret = *from;
  owned_copy(any_conditions_owned, ret);
}

void conditions_done(struct conditions *c) {
  owned_free(any_conditions_owned, c);
  *c = (struct conditions){0};
}

bool conditions_equal(const struct conditions *a, const struct conditions *b) {
  if (a->count != b->count) return false;
  for (unsigned i = 0; i < a->count; i++) {
    const struct condition *x = &a->items[i], *y = find(b, x->type);
    if (!y || x->reason != y->reason || x->status != y->status || x->changed != y->changed ||
        x->observed != y->observed || !text_equal(x->message, y->message))
      return false;
  }
  return true;
}

void condition_set(struct conditions *c, const char *type, enum condition_status status, const char *reason,
                   int64_t generation, msec now, const char *format, ...) {
  char *formatted cleanup_free = NULL;
  va_list args;
  va_start(args, format);
  if (vasprintf(&formatted, format, args) < 0) formatted = mem_must(NULL);
  va_end(args);

  struct condition *item = find(c, type);
  bool changed = !item || item->status != status;
  if (!item) item = add(c, intern(type));
  item->status = status;
  item->reason = intern(is_reason(reason) ? reason : "Unknown");
  item->observed = generation;
  // Whole seconds, as they are kept: what is in memory equals what is read back.
  if (changed) item->changed = now - now % 1000;
  char *bounded = text_bounded(formatted, BOUND_SENTENCE);
  free(item->message);
  item->message = bounded;
}

void condition_remove(struct conditions *c, const char *type) {
  struct condition *item = find(c, type);
  if (!item) return;
  free(item->message);
  size_t after = (size_t)(c->items + c->count - (item + 1));
  memmove(item, item + 1, after * sizeof(*item));
  if (--c->count > 0) return;
  free(c->items);
  c->items = NULL;
}

const struct condition *condition_find(const struct conditions *c, const char *type) {
  return find(c, type);
}

bool condition_is(const struct conditions *c, const char *type, enum condition_status status) {
  const struct condition *item = find(c, type);
  return item && item->status == status;
}

bool condition_is_true(const struct conditions *c, const char *type) {
  return condition_is(c, type, CONDITION_TRUE);
}

const char *condition_reason(const struct conditions *c, const char *type) {
  const struct condition *item = find(c, type);
  return item ? item->reason : "";
}
