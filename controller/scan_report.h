// The line that `fetch report` prints about a vulnerability report: digest, counts, the worst findings.
//
// It comes from a Pod that looked at a stranger's image, so everything is checked and bounded. What
// is not exactly such a line is a failure of the scanner and never "nothing found".
#pragma once

#include "arena/resources.h"

enum { SCAN_DIGEST_SIZE = 72 };

struct scan_report {
  char digest[SCAN_DIGEST_SIZE];  // of the image that was scanned; "" when the scanner does not say
  struct scan scan;               // present, without `finished`; owned
};

// `log`: all that the container printed; the line is its last that begins with "{".
enum error_code scan_report_parse(const char *log, struct scan_report *ret, struct error *e);
void scan_report_done(struct scan_report *r);
