// What builds and scans print, kept beyond their Pods: table build_logs, the last MiB of each container's log, written
// by the replica that mirrors. A log is followed while its container runs; of one that ended while nobody followed,
// the rest is fetched as long as the Pod is there.
#pragma once

struct app;
struct build_logs;

// The uid of the Submission of that name, NULL when it is not known (yet).
typedef const char *build_logs_uid_fn(void *context, const char *submission);

struct build_logs *build_logs_new(struct app *app, build_logs_uid_fn *uid, void *context);
void build_logs_free(struct build_logs *b);
void build_logs_start(struct build_logs *b);  // this replica writes
void build_logs_stop(struct build_logs *b);   // no more
void build_logs_tick(struct build_logs *b);   // about once a second
