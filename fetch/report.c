#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/str.h"

#include "files.h"
#include "splitter.h"
#include "utf8.h"

enum severity { CRITICAL, HIGH, MEDIUM, LOW, UNKNOWN, SEVERITIES };
static const char *const SEVERITY_NAMES[] = {"CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN"};
static const char *const COUNT_NAMES[] = {"critical", "high", "medium", "low", "unknown"};

enum {
  ID_MAX = 64,
  PACKAGE_MAX = 128,
  VERSION_MAX = 64,
  TITLE_MAX = 200,
  REFERENCE_MAX = 512,
  METADATA_MAX = 64 << 10
};

struct finding {
  enum severity severity;
  bool fixable;
  char id[ID_MAX + 1], package[PACKAGE_MAX + 1], installed[VERSION_MAX + 1], fixed[VERSION_MAX + 1],
      title[TITLE_MAX + 1];
};

struct report {
  struct splitter *splitter;
  int64_t total[SEVERITIES], fixable[SEVERITIES];
  struct finding worst[REPORT_FINDINGS];
  size_t count;
  bool schema;  // it says that it is a report
  char artifact[REFERENCE_MAX + 1];
  char reference[REFERENCE_MAX + 1];  // repo@sha256:...
  char image_id[ID_MAX + 16];
  char version[ID_MAX + 1];
};

enum path { PATH_SCHEMA, PATH_ARTIFACT, PATH_IMAGE_ID, PATH_DIGESTS, PATH_VERSION, PATH_VULNERABILITY };
static const splitter_path PATHS[] = {
    [PATH_SCHEMA] = {"SchemaVersion"},         [PATH_ARTIFACT] = {"ArtifactName"},
    [PATH_IMAGE_ID] = {"Metadata", "ImageID"}, [PATH_DIGESTS] = {"Metadata", "RepoDigests"},
    [PATH_VERSION] = {"Trivy", "Version"},     [PATH_VULNERABILITY] = {"Results", "*", "Vulnerabilities", "*"},
};

// Text for a person, into `ret` of `size`: what cannot be shown becomes "?"; cut without splitting a character.
static void keep_text(const char *text, char *ret, size_t size) {
  size_t used = 0, length = text ? strlen(text) : 0;
  for (size_t at = 0; at < length;) {
    size_t n = utf8_printable(text + at, length - at);
    size_t skip = n ? n : utf8_sequence(text + at, length - at);
    if (used + (n ? n : 1) >= size) break;
    if (n == 0) ret[used++] = '?';
    memcpy(ret + used, text + at, n);
    used += n;
    at += skip ? skip : 1;
  }
  ret[used] = '\0';
}

static enum severity parse_severity(const char *text) {
  for (enum severity s = CRITICAL; s < UNKNOWN; s++) {
    if (text_equal(text, SEVERITY_NAMES[s])) return s;
  }
  return UNKNOWN;
}

// Whether `a` is worse than `b`: severity, then what can be fixed, then the names, so that the order is the same
// always.
static bool worse(const struct finding *a, const struct finding *b) {
  if (a->severity != b->severity) return a->severity < b->severity;
  if (a->fixable != b->fixable) return a->fixable;
  int order = strcmp(a->id, b->id);
  if (order == 0) order = strcmp(a->package, b->package);
  if (order == 0) order = strcmp(a->installed, b->installed);
  return order < 0;
}

static void keep_worst(struct report *r, const struct finding *found) {
  size_t at = r->count;
  while (at > 0 && worse(found, &r->worst[at - 1])) at--;
  if (at == REPORT_FINDINGS) return;
  if (r->count < REPORT_FINDINGS) r->count++;
  memmove(&r->worst[at + 1], &r->worst[at], (r->count - at - 1) * sizeof *found);
  r->worst[at] = *found;
}

static void add_vulnerability(struct report *r, json *o) {
  struct finding found = {.severity = parse_severity(json_text(o, "Severity"))};
  keep_text(json_text(o, "VulnerabilityID"), found.id, sizeof found.id);
  keep_text(json_text(o, "PkgName"), found.package, sizeof found.package);
  keep_text(json_text(o, "InstalledVersion"), found.installed, sizeof found.installed);
  keep_text(json_text(o, "FixedVersion"), found.fixed, sizeof found.fixed);
  keep_text(json_text(o, "Title"), found.title, sizeof found.title);
  found.fixable = !text_empty(found.fixed);
  r->total[found.severity]++;
  if (found.fixable) r->fixable[found.severity]++;
  keep_worst(r, &found);
}

// The reference by digest: the one that was scanned when it is among them, otherwise the first.
static void keep_digests(struct report *r, json *digests) {
  for (size_t i = 0; i < json_length(digests); i++) {
    json *item = json_item(digests, i);
    const char *text = json_object_is_type(item, json_type_string) ? json_object_get_string(item) : NULL;
    if (!text || !strstr(text, "@sha256:") || strlen(text) > REFERENCE_MAX) continue;
    if (text_empty(r->reference) || text_equal(text, r->artifact)) keep_text(text, r->reference, sizeof r->reference);
  }
}

static bool found_value(void *context, size_t path, const char *text, size_t length, struct fault *f) {
  struct report *r = context;
  struct error e = {0};
  // The splitter hands out single values; a document of this project's parser is one too.
  cleanup_json json *o = json_parse(text, length, &e);
  if (!o && !text_equal(text, "null")) {
    return fault_refuse(f, "BadReport",
                        "A part of the scanner's report cannot be read (%s). The scan has to run again.", e.text);
  }
  const char *word = json_object_is_type(o, json_type_string) ? json_object_get_string(o) : NULL;
  switch ((enum path)path) {
    case PATH_SCHEMA: r->schema = json_object_is_type(o, json_type_int); break;
    case PATH_ARTIFACT: keep_text(word, r->artifact, sizeof r->artifact); break;
    case PATH_IMAGE_ID: keep_text(word, r->image_id, sizeof r->image_id); break;
    case PATH_DIGESTS: keep_digests(r, o); break;
    case PATH_VERSION: keep_text(word, r->version, sizeof r->version); break;
    case PATH_VULNERABILITY: add_vulnerability(r, o); break;
  }
  return true;
}

struct report *report_new(void) {
  struct report *r = mem_alloc(sizeof *r);
  r->splitter = splitter_new(PATHS, array_size(PATHS), found_value, r);
  return r;
}

void report_free(struct report *r) {
  if (!r) return;
  splitter_free(r->splitter);
  free(r);
}

bool report_feed(struct report *r, const char *bytes, size_t length, struct fault *f) {
  return splitter_feed(r->splitter, bytes, length, f);
}

static json *print_findings(const struct report *r) {
  json *list = json_new_array();
  for (size_t i = 0; i < r->count; i++) {
    const struct finding *found = &r->worst[i];
    json *o = json_push_object(list);
    json_add_text(o, "id", found->id);
    json_add_text(o, "package", found->package);
    json_add_text(o, "installed", found->installed);
    json_add_text(o, "fixed", found->fixed);
    json_add_text(o, "severity", SEVERITY_NAMES[found->severity]);
    json_add_text(o, "title", found->title);
  }
  return list;
}

char *report_end(struct report *r, const char *database_date, const char *scanner_version, struct fault *f) {
  if (!splitter_end(r->splitter, f)) return NULL;
  if (!r->schema) {
    fault_refuse(f, "BadReport",
                 "The file is no report of the scanner (it has no SchemaVersion). The scan has to run again.");
    return NULL;
  }
  // An image that was named by digest but never pushed under a name has no list of them.
  if (text_empty(r->reference) && strstr(r->artifact, "@sha256:"))
    keep_text(r->artifact, r->reference, sizeof r->reference);
  const char *at = strchr(r->reference, '@');

  cleanup_json json *o = json_new_object();
  json_add_text(o, "digest", at ? at + 1 : "");
  json_add_text(o, "repoDigest", r->reference);
  json_add_text(o, "imageId", r->image_id);
  json_add_text(o, "databaseDate", database_date ? database_date : "");
  json_add_text(o, "scannerVersion", *r->version ? r->version : scanner_version ? scanner_version : "");
  json *counts = json_add_object(o, "counts");
  for (enum severity s = CRITICAL; s < SEVERITIES; s++) {
    json *count = json_add_object(counts, COUNT_NAMES[s]);
    json_add_int(count, "total", r->total[s]);
    json_add_int(count, "fixable", r->fixable[s]);
  }
  json_add(o, "findings", print_findings(r));
  return json_print(o);
}

// When the database was made, from Trivy's own file about it; "" when that cannot be read.
static void read_database_date(const char *path, char ret[CLOCK_TEXT_SIZE]) {
  ret[0] = '\0';
  int cleanup_fd fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  cleanup_free char *text = mem_alloc(METADATA_MAX);
  ssize_t length = read(fd, text, METADATA_MAX);
  if (length <= 0) return;
  struct error e;
  cleanup_json json *o = json_parse(text, (size_t)length, &e);
  msec updated = json_time(o, "UpdatedAt");
  if (updated > 0) clock_format(updated, ret);
}

static bool feed_file(struct report *r, const char *path, struct fault *f) {
  int cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fault_refuse(f, "NoReport", "The scanner's report is not there: %s. The scan has to run again.",
                        strerror(errno));
  enum { BYTES = 64 << 10 };
  cleanup_free char *bytes = mem_alloc(BYTES);
  ssize_t n;
  while ((n = read(fd, bytes, BYTES)) > 0) {
    if (!report_feed(r, bytes, (size_t)n, f)) return false;
  }
  return n == 0 || fault_refuse(f, "NoReport", "The scanner's report cannot be read: %s. The scan has to run again.",
                                strerror(errno));
}

char *report_file(const char *path, const char *metadata, const char *scanner_version, struct fault *f) {
  char date[CLOCK_TEXT_SIZE];
  read_database_date(metadata, date);
  struct report *r = report_new();
  char *line = feed_file(r, path, f) ? report_end(r, date, scanner_version, f) : NULL;
  report_free(r);
  return line;
}
