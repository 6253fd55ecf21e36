// Reads Trivy's JSON report as a stream and prints what the controller keeps of it as one line: counts by severity, how
// many of them can be fixed, and the worst 50. Everything in a report may come from the author of the image, so every
// text is bounded and printable.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fault.h"

enum { REPORT_FINDINGS = 50 };

struct report;

struct report *report_new(void);
void report_free(struct report *r);
bool report_feed(struct report *r, const char *bytes, size_t length, struct fault *f);
// Ends the document. The line (heap, without a newline), NULL with a fault. `database_date` (RFC 3339 or "") and
// `scanner_version` are used where the report has no word of its own.
char *report_end(struct report *r, const char *database_date, const char *scanner_version, struct fault *f);

// The whole of it for a file; `metadata` (may be NULL) is Trivy's db/metadata.json.
char *report_file(const char *path, const char *metadata, const char *scanner_version, struct fault *f);
