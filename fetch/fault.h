// Why a source did not arrive, in the two kinds that the build Job tells apart by exit code: refused
// (it can never work; the author must change something) and transient (the same may work later).
//
// The reason is one CamelCase word for a condition; the message is a sentence for the author that says
// what happened and what to do. Messages quote hostile text (file names, servers' answers) only
// through fault_quote. Written once: the first fault stands.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum fault_kind {
  FAULT_NONE = 0,
  FAULT_REFUSED = 10,  // also the exit codes
  FAULT_TRANSIENT = 11,
};

struct fault {
  enum fault_kind kind;
  char reason[64];
  char message[1024];
};

// Both record the fault (unless one stands already) and return false, so that
// `return fault_refuse(f, "TooBig", "...")` works in functions that return whether they succeeded.
bool fault_refuse(struct fault *f, const char *reason, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool fault_retry(struct fault *f, const char *reason, const char *format, ...) __attribute__((format(printf, 3, 4)));

enum { FAULT_QUOTE_SIZE = 132 };
// Hostile bytes as short, printable, valid UTF-8 between double quotes into `ret`; returns ret.
const char *fault_quote(const char *text, char ret[FAULT_QUOTE_SIZE]);
const char *fault_quote_bytes(const char *bytes, size_t length, char ret[FAULT_QUOTE_SIZE]);

// {"reason","message"} as one line to stderr and into the file at `path`. An explicit path is created;
// the default one (`path` NULL: /dev/termination-log) is written only where the kubelet mounted it.
void fault_report(const struct fault *f, const char *path);
