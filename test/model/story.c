#include "story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

enum { DRAIN_STEPS = 4000, ROUNDS = 6 };

struct line {
  char text[LABEL_MAX];
};

static bool perform(const char *text) {
  struct step steps[STEPS_MAX];
  char label[LABEL_MAX];
  const unsigned count = steps_list(steps, model->scenario->any);
  for (unsigned i = 0; i < count; i++) {
    step_label(steps[i], label);
    if (strcmp(label, text) != 0) continue;
    heap_enter();
    step_do(steps[i]);
    heap_leave();
    check_state();
    return true;
  }
  return false;
}

bool story_drain(uint64_t seed, bool aloud) {
  for (unsigned n = 0; n < DRAIN_STEPS && !model->violation[0]; n++) {
    struct step steps[STEPS_MAX];
    unsigned count = steps_list(steps, false);
    while (count > 0 && step_is_fault(steps[count - 1])) count--;
    if (count > 1 && steps[count - 1].kind == STEP_TICK) count--;
    if (count == 0) return steps_time_is_up() || check_settled();
    seed = hash_mix(seed, n);
    if (aloud) {
      char label[LABEL_MAX];
      step_label(steps[seed % count], label);
      printf("#      %s\n", label);
    }
    heap_enter();
    step_do(steps[seed % count]);
    heap_leave();
    check_state();
  }
  model_violate("it does not come to rest");
  return false;
}

// Runs the lines that are possible; whether it ends in a contradiction. `ret` gets what was done.
static bool goes_wrong(const struct snapshot *root, const struct line *lines, size_t count, struct line *ret,
                       size_t *ret_count) {
  snapshot_restore(root);
  *ret_count = 0;
  for (size_t i = 0; i < count && !model->violation[0]; i++) {
    if (perform(lines[i].text)) ret[(*ret_count)++] = lines[i];
  }
  return model->violation[0] || !story_drain(1, false);
}

// Leaves out line after line as long as it still goes wrong.
static size_t shorten(const struct snapshot *root, struct line *lines, size_t count) {
  struct line *tried = malloc((count + 1) * sizeof(*tried)), *done = malloc((count + 1) * sizeof(*done));
  if (tried == NULL || done == NULL) abort();
  for (size_t chunk = count / 2 + 1; chunk > 0; chunk /= 2) {
    for (size_t at = 0; at < count;) {
      const size_t left = count - at < chunk ? count - at : chunk;
      memcpy(tried, lines, at * sizeof(*lines));
      memcpy(tried + at, lines + at + left, (count - at - left) * sizeof(*lines));
      size_t made;
      if (goes_wrong(root, tried, count - left, done, &made)) {
        memcpy(lines, done, made * sizeof(*lines));
        count = made;
      } else {
        at += left;
      }
    }
  }
  free(tried);
  free(done);
  return count;
}

static size_t depth_of(const struct graph *g, uint32_t id) {
  size_t depth = 0;
  for (; id != 0; id = g->visits[id].parent) depth++;
  return depth;
}

// Where it all stands: every object in a line.
static void tell_objects(void) {
  for (unsigned i = 0; i < model->object_count; i++) {
    const struct object *o = &model->objects[i];
    json *status = json_get(o->body, "status");
    printf("#   %s %s: %s\n", o->kind, o->name,
           status ? json_object_to_json_string_ext(status, JSON_C_TO_STRING_PLAIN) : "-");
  }
}

void story_tell(const struct snapshot *root, const struct graph *g, uint32_t id, const char *why) {
  size_t count = depth_of(g, id);
  struct line *lines = calloc(2 * count + 2, sizeof(*lines)), *done = lines + count + 1;
  struct step *steps = malloc((count + 1) * sizeof(*steps));
  if (lines == NULL || steps == NULL) abort();
  for (size_t i = count; i > 0; i--, id = g->visits[id].parent) steps[i - 1] = g->visits[id].step;
  snapshot_restore(root);
  for (size_t i = 0; i < count; i++) {
    step_label(steps[i], lines[i].text);
    heap_enter();
    step_do(steps[i]);
    heap_leave();
    check_state();
  }
  if (why == NULL && !model->violation[0]) check_settled();
  printf("# %s\n", why ? why : model->violation);
  size_t made;
  if (goes_wrong(root, lines, count, done, &made)) {
    count = shorten(root, lines, count);
    goes_wrong(root, lines, count, done, &made);
    printf("# the story: %s\n", model->violation);
  }
  snapshot_restore(root);
  for (size_t i = 0; i < count; i++) {
    printf("#   %zu. %s\n", i + 1, lines[i].text);
    perform(lines[i].text);
  }
  if (!model->violation[0]) {
    printf("#   and on without a fault:\n");
    story_drain(1, true);
  }
  tell_objects();
  fflush(stdout);
  free(steps);
  free(lines);
}
