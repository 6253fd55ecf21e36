// fetch is what is ours in the Pods that build and scan: it brings a submission's source into the build's workspace and
// the layers of earlier builds beside it, takes the built image to the registry, and turns a scanner's report into one
// line. It runs once and ends: 0 done, 10 refused (never to be tried again as it is), 11 transient, 2 wrong command
// line.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/memory.h"

#include "authorities.h"
#include "context.h"
#include "download.h"
#include "files.h"
#include "git.h"
#include "inline.h"
#include "layers.h"
#include "options.h"
#include "progress.h"
#include "push.h"
#include "report.h"
#include "tree.h"
#include "unpack.h"

enum { EXIT_USAGE = 2, WATCHDOG_GRACE_SECONDS = 5 };

static const char *watchdog_message_file, *watchdog_text;
static int watchdog_code;

// The deadline is checked wherever fetch waits; this ends it where a library computes for ever on hostile input.
static void on_alarm(int signal) {
  (void)signal;
  size_t length = strlen(watchdog_text);
  const char *path = watchdog_message_file ? watchdog_message_file : "/dev/termination-log";
  int fd = open(path, O_WRONLY | O_TRUNC | (watchdog_message_file ? O_CREAT : 0), 0644);
  if (fd >= 0 && write(fd, watchdog_text, length) < 0) _exit(watchdog_code);
  if (write(STDERR_FILENO, watchdog_text, length) < 0) _exit(watchdog_code);
  _exit(watchdog_code);
}

static void start_watchdog(const struct options *o) {
  watchdog_message_file = o->message_file;
  watchdog_code = o->mode == MODE_LAYERS ? EXIT_SUCCESS : FAULT_TRANSIENT;
  watchdog_text = o->mode == MODE_LAYERS ? "No layers of earlier builds: the registry is too slow.\n"
                  : o->mode == MODE_PUSH
                      ? "{\"reason\":\"PushFailed\",\"message\":\"Pushing the image took too long.\"}\n"
                      : "{\"reason\":\"Timeout\",\"message\":\"Fetching the source took too long. It will be tried "
                        "again; make the source smaller.\"}\n";
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &action, NULL);
  alarm((unsigned)o->timeout_seconds + WATCHDOG_GRACE_SECONDS);
}

static bool fetch_archive(const struct options *o, const struct network *network, int work, struct tree *tree,
                          struct fault *f) {
  progress_step("fetching the archive %s", o->url);
  int cleanup_fd file = openat(work, "archive", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return files_fault(f, "make a file");
  struct network ours = *network;
  ours.front = o->front;
  if (!download_file(&ours, o->url, o->sha256, o->limits.max_bytes, file, f)) return false;
  progress_step("unpacking");
  if (lseek(file, 0, SEEK_SET) != 0) return files_fault(f, "read the download");
  return unpack_archive(file, o->format, tree, f);
}

static bool fetch_tree(const struct options *o, int work, struct tree *tree, struct fault *f) {
  struct network network = {.allowed = o->allowed, .allowed_count = o->allowed_count};
  network.deadline = clock_monotonic() + (msec)o->timeout_seconds * 1000;
  switch (o->mode) {
    case MODE_INLINE: return inline_copy(o->from, tree, f);
    case MODE_ARCHIVE: return fetch_archive(o, &network, work, tree, f);
    default:
      return git_fetch(&network, &(struct git_source){.url = o->url, .ref = o->ref, .path = o->path}, &o->limits, work,
                       tree, f);
  }
}

static bool fetch_source(const struct options *o, int workspace, struct fault *f) {
  int cleanup_fd work = openat(workspace, CONTEXT_WORK, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (work < 0) return files_fault(f, "open a folder");
  int cleanup_fd root = files_make_folder(work, "tree", f);
  if (root < 0) return false;
  struct tree *tree = tree_new(root, &o->limits);
  bool ok = fetch_tree(o, work, tree, f) &&
            context_finish(workspace, "tree", tree_link_to_root(tree), o->runtime_image, f) &&
            authorities_write(workspace, f);
  if (ok)
    progress_step("fetched: %zu files and folders, %.1f MiB", tree_count(tree), (double)tree_bytes(tree) / (1 << 20));
  tree_free(tree);
  return ok;
}

static bool run_source(const struct options *o, struct fault *f) {
  umask(022);
  int cleanup_fd workspace = context_begin(o->to, f);
  if (workspace < 0) return false;
  bool ok = fetch_source(o, workspace, f);
  context_end(workspace);
  return ok;
}

static bool run_report(const struct options *o, struct fault *f) {
  cleanup_free char *line = report_file(o->from, o->db_metadata, o->scanner_version, f);
  if (!line) return false;
  puts(line);
  return fflush(stdout) == 0 || fault_retry(f, "DiskError", "The report's summary could not be written.");
}

static bool run(const struct options *o, struct fault *f) {
  switch (o->mode) {
    case MODE_REPORT: return run_report(o, f);
    case MODE_PUSH: return push_image(o, f);
    case MODE_LAYERS: layers_bring(o); return true;
    default: return run_source(o, f);
  }
}

int main(int argc, char **argv) {
  struct options options;
  if (!options_parse(argc, argv, &options)) return EXIT_USAGE;
  start_watchdog(&options);
  signal(SIGPIPE, SIG_IGN);
  curl_global_init(CURL_GLOBAL_DEFAULT);

  struct fault fault = {0};
  bool ok = run(&options, &fault);
  curl_global_cleanup();
  if (ok) return EXIT_SUCCESS;
  fault_report(&fault, options.message_file);
  return (int)fault.kind;
}
