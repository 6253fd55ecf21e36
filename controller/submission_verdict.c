// Whether a scanned image may play: the queue's policy on what the scan found, looked at afresh each
// time, so that a changed policy changes the verdict.
#include <stdio.h>

#include "base/memory.h"
#include "base/str.h"

#include "submission_parts.h"

enum { NAMED_MAX = 5, MESSAGE_MAX = 1000 };

static bool counts(const struct queue *q, enum severity severity, bool has_fix) {
  return severity >= q->fail_on && severity != SEVERITY_UNKNOWN && (has_fix || !q->ignore_unfixed);
}

static int64_t over_policy(const struct queue *q, const struct scan *scan) {
  if (q->never_fail) return 0;
  int64_t sum = 0;
  for (int i = 0; i < SEVERITY_COUNT; i++) {
    if (counts(q, (enum severity)i, true)) sum += scan->fixable[i];
    if (counts(q, (enum severity)i, false)) sum += scan->total[i] - scan->fixable[i];
  }
  return sum;
}

// "CVE-2022-21797 in joblib 1.1.0 (fixed in 1.2.0)"
static void add_finding(struct str *text, const struct finding *f) {
  str_add_format(text, "%s in %s %s", f->id, f->package ? f->package : "?", f->installed ? f->installed : "");
  if (text_empty(f->fixed))
    str_add(text, " (no fix yet)");
  else
    str_add_format(text, " (fixed in %s)", f->fixed);
}

// "joblib 1.2.0, pyyaml 5.4"; a package is named once, with the fix of its worst finding.
static void add_cure(struct str *text, const struct finding *const *named, unsigned count) {
  unsigned cures = 0;
  for (unsigned i = 0; i < count; i++) {
    bool before = false;
    for (unsigned j = 0; j < i; j++) before = before || text_equal(named[j]->package, named[i]->package);
    if (before || text_empty(named[i]->fixed)) continue;
    str_add_format(text, "%s%s %s", cures++ ? ", " : "Rebuild with ", named[i]->package, named[i]->fixed);
  }
  str_add(text, cures ? " or newer, as a new Submission." : "Wait for a fix, or build without them.");
}

static void reject(struct submission_step *s, const struct queue *q, int64_t over) {
  const struct scan *scan = &s->to.scan;
  const struct finding *named[NAMED_MAX];
  unsigned count = 0;
  for (unsigned i = 0; scan->findings && i < scan->findings->count && count < NAMED_MAX; i++) {
    const struct finding *f = &scan->findings->items[i];
    if (counts(q, f->severity, !text_empty(f->fixed))) named[count++] = f;
  }

  // Version texts come from strangers' packages: the cure is made first, so that the names cannot push it out.
  struct str cure = STR_INIT(MESSAGE_MAX / 2), names = STR_INIT(MESSAGE_MAX / 2);
  add_cure(&cure, named, count);
  for (unsigned i = 0; i < count && !names.failed; i++) {
    str_add(&names, i ? ", " : "");
    add_finding(&names, named[i]);
  }
  if (over > count) str_add_format(&names, " and %lld more", (long long)(over - count));
  char message[2 * MESSAGE_MAX];
  snprintf(message, sizeof(message), "%lld vulnerabilit%s of severity %s or worse%s: %s. %s", (long long)over,
           over == 1 ? "y" : "ies", severity_text(q->fail_on), q->ignore_unfixed ? " with a fix" : "", str_text(&names),
           str_text(&cure));
  str_done(&cure);
  str_done(&names);
  step_fail(s, "Rejected", "VulnerabilitiesFound", message);
}

void submission_verdict(struct submission_step *s) {
  const struct submission_view *v = s->view;
  char message[256];
  if (!v->agent || v->agent->meta.deleted) {
    snprintf(message, sizeof(message),
             "It is built and scanned, but there is no Agent \"%s\" any more: apply it, and this may play.",
             v->self->agent);
    step_wait(s, "Pending", "AgentNotFound", message);
    return;
  }
  if (!v->queue || v->queue->meta.deleted) {
    snprintf(message, sizeof(message),
             "It is built and scanned, but there is no MatchmakingQueue \"%.100s\", whose scan policy decides: create "
             "it, or apply the Agent anew for another.",
             v->agent->environment);
    step_wait(s, "Pending", "EnvironmentNotFound", message);
    return;
  }
  int64_t over = over_policy(v->queue, &s->to.scan);
  if (over > 0) {
    reject(s, v->queue, over);
    return;
  }
  snprintf(message, sizeof(message), "Version %d may play.", s->to.version);
  step_ready(s, message);
}
