// The kubelet and the Job controller for build and scan Jobs in a simulated world, as the test says.
//
// A Job's Pod is "<job>-pod". Each step is what the caches would see, nothing in between.
#pragma once

#include "world.h"

#define DIGEST_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

void builder_pod(struct world *w, const char *job);  // the Pod exists, nothing of it has started
void builder_waits(struct world *w, const char *job, const char *container, const char *reason, const char *message);
void builder_ends(struct world *w, const char *job, const char *container, int exit_code, const char *reason,
                  const char *message);
// The Pod as a whole: phase, and (may be NULL) status.reason and message.
void builder_pod_ends(struct world *w, const char *job, const char *phase, const char *reason, const char *message);
void builder_job_ends(struct world *w, const char *job, bool complete, const char *reason);

// Whole stories, from the Job to its end.
void builder_builds(struct world *w, const char *job, const char *digest);
void builder_refuses(struct world *w, const char *job, int exit_code, const char *reason, const char *message);
void builder_breaks(struct world *w, const char *job, const char *reason, const char *message);  // the build container
void builder_cannot_push(struct world *w, const char *job, int exit_code, const char *message);
void builder_scans(struct world *w, const char *job);  // the report is what read_log gives

bool builder_has_job(struct world *w, const char *job);
unsigned builder_jobs(struct world *w, const char *submission, const char *component);  // that are there

// A report line with these counts of CRITICAL findings, `fixable` of them with a fix; static, until the next call.
const char *builder_report(const char *digest, int critical, int fixable);
