#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "codec.h"

enum { FILES_MAX = 64, FILE_NAME_MAX = 128 };

static const char *const severities[] = {"UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"};

// Keys of the counts in status.scan, by severity.
static const char *const total_keys[] = {"unknown", "low", "medium", "high", "critical"};
static const char *const fixable_keys[] = {"fixableUnknown", "fixableLow", "fixableMedium", "fixableHigh",
                                           "fixableCritical"};

const char *severity_text(enum severity s) {
  return severities[s];
}

enum severity severity_parse(const char *text) {
  for (int i = 0; text && i < SEVERITY_COUNT; i++)
    if (strcmp(text, severities[i]) == 0) return (enum severity)i;
  return SEVERITY_UNKNOWN;
}

// ---- reading the spec --------------------------------------------------------------------------

static void decode_files(json *inline_source, struct submission *s) {
  json *files = json_get(inline_source, "files");
  if (!json_object_is_type(files, json_type_object)) return;
  s->files = mem_alloc(FILES_MAX * sizeof(*s->files));
  json_object_object_foreach(files, name, text) {
    if (s->file_count == FILES_MAX || strlen(name) > FILE_NAME_MAX || !json_object_is_type(text, json_type_string))
      continue;
    s->files[s->file_count++] = mem_strdup(name);
  }
  s->files = mem_grow(s->files, s->file_count, sizeof(*s->files));  // the cache keeps it: no room to spare
}

static bool is_agent_named(json *reference, const char *name) {
  const char *version = json_text(reference, "apiVersion");
  return version != NULL && strncmp(version, ARENA_GROUP "/", strlen(ARENA_GROUP "/")) == 0 &&
         text_equal(json_text(reference, "kind"), "Agent") && text_equal(json_text(reference, "name"), name);
}

// The uid of the only agent of this name among the owners; of several nobody can say which is meant.
static char *owning_agent(json *metadata, const char *name) {
  const char *uid = NULL;
  json *owners = json_get(metadata, "ownerReferences");
  for (size_t i = 0; i < json_length(owners); i++) {
    if (!is_agent_named(json_item(owners, i), name)) continue;
    if (uid != NULL) return NULL;
    uid = json_text(json_item(owners, i), "uid");
  }
  return uid != NULL ? mem_strdup(uid) : NULL;
}

static void decode_source(json *source, struct submission *s) {
  json *kind;
  if ((kind = json_get(source, "inline")) != NULL) {
    s->source = SOURCE_INLINE;
    decode_files(kind, s);
  } else if ((kind = json_get(source, "archive")) != NULL) {
    s->source = SOURCE_ARCHIVE;
    s->url = json_text_copy(kind, "url");
    s->sha256 = json_text_copy(kind, "sha256");
    s->format = json_text_copy(kind, "format");
  } else if ((kind = json_get(source, "git")) != NULL) {
    s->source = SOURCE_GIT;
    s->url = json_text_copy(kind, "url");
    s->ref = json_text_copy(kind, "ref");
    s->path = json_text_copy(kind, "path");
  } else if (!text_empty(json_text(source, "image"))) {
    s->source = SOURCE_IMAGE;
    s->image = json_text_copy(source, "image");
  }
}

// ---- reading the status ------------------------------------------------------------------------

static void decode_attempts(json *list, struct attempts *ret) {
  struct attempt *added;
  for (size_t i = 0; i < json_length(list) && (added = attempts_add(ret, 0)) != NULL; i++) {
    json *o = json_item(list, i);
    *added = (struct attempt){
        .number = codec_int32(o, "number", 1, 16, (int32_t)i + 1),
        .job = json_text_copy(o, "job"),
        .pod = json_text_copy(o, "pod"),
        .started = json_time(o, "startedAt"),
        .finished = json_time(o, "finishedAt"),
        .reason = json_text_copy(o, "reason"),
        .message = json_text_copy(o, "message"),
    };
  }
}

static void decode_findings(json *list, struct scan *ret) {
  const unsigned count = json_length(list) < FINDINGS_MAX ? (unsigned)json_length(list) : FINDINGS_MAX;
  struct finding items[FINDINGS_MAX];
  for (unsigned i = 0; i < count; i++) {
    json *o = json_item(list, i);
    items[i] = (struct finding){
        .id = json_text_copy(o, "id"),
        .package = json_text_copy(o, "package"),
        .installed = json_text_copy(o, "installed"),
        .fixed = json_text_copy(o, "fixed"),
        .title = json_text_copy(o, "title"),
        .severity = severity_parse(json_text(o, "severity")),
    };
  }
  ret->findings = findings_share(items, count);
}

static void decode_scan(json *o, struct scan *ret) {
  if (!json_object_is_type(o, json_type_object)) return;
  ret->present = true;
  ret->scanner = json_text_copy(o, "scanner");
  ret->database = json_time(o, "databaseDate");
  ret->finished = json_time(o, "finishedAt");
  for (int i = 0; i < SEVERITY_COUNT; i++) {
    ret->total[i] = codec_count(o, total_keys[i]);
    ret->fixable[i] = codec_count(o, fixable_keys[i]);
  }
  decode_findings(json_get(o, "findings"), ret);
}

static void decode_status(json *o, struct submission_status *ret) {
  *ret = (struct submission_status){
      .observed = codec_int64(o, "observedGeneration", 0, CODEC_INT53_MAX, 0),
      .phase = json_text_copy(o, "phase"),
      .version = codec_count(o, "version"),
      .image = json_text_copy(o, "image"),
      .digest = json_text_copy(o, "digest"),
  };
  decode_attempts(json_get(o, "attempts"), &ret->builds);
  decode_attempts(json_get(o, "scanAttempts"), &ret->scan_attempts);
  decode_scan(json_get(o, "scan"), &ret->scan);
  conditions_decode(o, &ret->conditions);
}

bool submission_decode(json *object, void *ret_submission, struct error *e) {
  json *spec = json_get(object, "spec"), *build = json_get(spec, "build");
  if (text_empty(json_text(spec, "agent"))) return error_set(e, ERR_INVALID, "spec.agent is missing"), false;

  struct submission *s = ret_submission;
  s->agent = json_text_copy(spec, "agent");
  s->agent_uid = owning_agent(json_get(object, "metadata"), s->agent);
  decode_source(json_get(spec, "source"), s);
  s->timeout_seconds = codec_int32(build, "timeoutSeconds", 10, 7200, 900);
  s->max_retries = codec_int32(build, "maxRetries", 0, 3, 3);
  s->no_cache = json_bool(build, "noCache", false);
  decode_status(json_get(object, "status"), &s->status);
  return true;
}

bool submission_is_of(const struct submission *s, const struct agent *a) {
  return text_equal(s->agent, a->meta.name) && (s->agent_uid == NULL || text_equal(s->agent_uid, a->meta.uid));
}

// ---- writing -----------------------------------------------------------------------------------

static void encode_attempts(json *status, const char *key, const struct attempts *a) {
  json *list = json_add_array(status, key);
  for (unsigned i = 0; i < a->count; i++) {
    const struct attempt *item = &a->items[i];
    json *o = json_push_object(list);
    json_add_int(o, "number", item->number);
    codec_add_text(o, "job", item->job, BOUND_NAME);
    codec_add_text(o, "pod", item->pod, BOUND_POD);
    json_add_time(o, "startedAt", item->started);
    json_add_time(o, "finishedAt", item->finished);
    codec_add_text(o, "reason", item->reason, BOUND_WORD);
    codec_add_text(o, "message", item->message, BOUND_LOG);
  }
}

static void encode_scan(json *status, const struct scan *s) {
  if (!s->present) return;
  json *o = json_add_object(status, "scan");
  codec_add_text(o, "scanner", s->scanner, BOUND_WORD);
  json_add_time(o, "databaseDate", s->database);
  json_add_time(o, "finishedAt", s->finished);
  int64_t fixable = 0;
  for (int i = SEVERITY_COUNT - 1; i >= 0; i--) {
    codec_add_count(o, total_keys[i], s->total[i]);
    fixable += s->fixable[i];
  }
  json_add_int(o, "fixable", fixable < INT32_MAX ? fixable : INT32_MAX);
  for (int i = SEVERITY_COUNT - 1; i >= 0; i--) codec_add_count(o, fixable_keys[i], s->fixable[i]);
  json *list = json_add_array(o, "findings");
  for (unsigned i = 0; s->findings && i < s->findings->count && i < FINDINGS_MAX; i++) {
    const struct finding *f = &s->findings->items[i];
    json *item = json_push_object(list);
    codec_add_text(item, "id", f->id, BOUND_WORD);
    codec_add_text(item, "package", f->package, BOUND_VERSION);
    codec_add_text(item, "installed", f->installed, BOUND_VERSION);
    codec_add_text(item, "fixed", f->fixed, BOUND_VERSION);
    json_add_text(item, "severity", severity_text(f->severity));
    codec_add_text(item, "title", f->title, BOUND_SENTENCE);
  }
}

static json *encode_status(const struct submission_status *s) {
  json *o = json_new_object();
  codec_add_nonzero(o, "observedGeneration", s->observed);
  codec_add_text(o, "phase", s->phase, BOUND_WORD);
  codec_add_nonzero(o, "version", s->version);
  codec_add_text(o, "image", s->image, BOUND_IMAGE);
  codec_add_text(o, "digest", s->digest, BOUND_WORD);
  encode_attempts(o, "attempts", &s->builds);
  encode_attempts(o, "scanAttempts", &s->scan_attempts);
  encode_scan(o, &s->scan);
  json_add(o, "conditions", conditions_encode(&s->conditions));
  return o;
}

json *submission_status_patch(const struct submission_status *from, const struct submission_status *to) {
  return codec_patch(encode_status(from), encode_status(to), from->observed == 0);
}

// ---- owning ------------------------------------------------------------------------------------

struct attempt *attempts_add(struct attempts *a, int32_t number) {
  if (a->count == ATTEMPTS_MAX) return NULL;
  a->items = mem_grow(a->items, a->count + 1, sizeof(*a->items));
  struct attempt *item = &a->items[a->count++];
  *item = (struct attempt){.number = number};
  return item;
}

static void attempts_owned(struct owned *o, struct attempts *a) {
  owned_array(o, &a->items, a->count * sizeof(*a->items));
  for (unsigned i = 0; i < a->count; i++) {
    owned_text(o, &a->items[i].job);
    owned_text(o, &a->items[i].pod);
    owned_text(o, &a->items[i].reason);
    owned_text(o, &a->items[i].message);
  }
  owned_array_end(o, &a->items);
}

static const void *again(const void *findings) {
  return findings_again(findings);
}

static void done(const void *findings) {
  findings_done(findings);
}

static void scan_owned(struct owned *o, void *scan) {
  struct scan *s = scan;
  owned_text(o, &s->scanner);
  owned_shared(o, &s->findings, again, done);
}

static void status_owned(struct owned *o, void *status) {
  struct submission_status *s = status;
  owned_text(o, &s->phase);
  owned_text(o, &s->image);
  owned_text(o, &s->digest);
  attempts_owned(o, &s->builds);
  attempts_owned(o, &s->scan_attempts);
  scan_owned(o, &s->scan);
  conditions_owned(o, &s->conditions);
}

void submission_owned(struct owned *o, void *submission) {
  struct submission *s = submission;
  meta_owned(o, &s->meta);
  owned_text(o, &s->agent);
  owned_text(o, &s->agent_uid);
  owned_text(o, &s->url);
  owned_text(o, &s->sha256);
  owned_text(o, &s->format);
  owned_text(o, &s->ref);
  owned_text(o, &s->path);
  owned_text(o, &s->image);
  owned_array(o, &s->files, s->file_count * sizeof(*s->files));
  for (unsigned i = 0; i < s->file_count; i++) owned_text(o, &s->files[i]);
  owned_array_end(o, &s->files);
  status_owned(o, &s->status);
}

void scan_done(struct scan *s) {
  owned_free(scan_owned, s);
  *s = (struct scan){0};
}

void submission_status_copy(struct submission_status *ret, const struct submission_status *from) {
  *ret = *from;
  owned_copy(status_owned, ret);
}

void submission_status_done(struct submission_status *s) {
  owned_free(status_owned, s);
  *s = (struct submission_status){0};
}
