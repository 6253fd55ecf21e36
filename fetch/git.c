#include "git.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/str.h"

#include "files.h"
#include "git_objects.h"
#include "git_wire.h"
#include "progress.h"

enum { OFFER_MAX = 32 << 20, REQUEST_MAX = 1 << 20 };
static const char OFFER_PATH[] = "/info/refs?service=git-upload-pack";

static bool feed_packets(void *context, const char *bytes, size_t length, struct fault *f) {
  return git_packets_feed(context, bytes, length, f);
}

static struct git_packets *packets_new(bool (*packet)(void *, bool, char *, size_t, struct fault *), void *context) {
  struct git_packets *p = mem_alloc(sizeof *p);
  p->packet = packet;
  p->context = context;
  return p;
}

// The repository's URL without what would make "/info/refs" part of a query; heap or NULL with a fault.
static char *repository_url(const char *url, struct fault *f) {
  if (!download_check_url(url, f)) return NULL;
  if (strpbrk(url, "?#")) {
    fault_refuse(f, "BadUrl",
                 "The URL of a git repository has a \"?\" or \"#\" in it. Use the URL that `git clone` takes.");
    return NULL;
  }
  size_t length = strlen(url);
  while (length > 0 && url[length - 1] == '/') length--;
  return mem_strndup(url, length);
}

// Asks what the repository has. `ret_base` is its URL after redirects: the second request goes there at once.
static bool ask_offer(const struct network *network, const char *base, struct git_offer *offer, char **ret_base,
                      struct fault *f) {
  cleanup_free char *url = mem_printf("%s%s", base, OFFER_PATH);
  cleanup_free struct git_packets *packets = packets_new(git_offer_packet, offer);
  struct request request = {
      .url = url,
      .accept = "application/x-git-upload-pack-advertisement",
      .max_bytes = OFFER_MAX,
      .sink = feed_packets,
      .context = packets,
  };
  cleanup_free char *effective = NULL;
  if (!download_run(network, &request, &effective, f)) return false;
  size_t length = strlen(effective), tail = strlen(OFFER_PATH);
  if (length <= tail || strcmp(effective + length - tail, OFFER_PATH) != 0) {
    return fault_refuse(
        f, "BadRedirect",
        "The repository's URL is redirected to something that is no repository. Use the URL that it ends at.");
  }
  *ret_base = mem_strndup(effective, length - tail);
  return true;
}

static bool receive_pack(const struct network *network, const char *base, const struct str *body, int64_t max_bytes,
                         struct git_pack *pack, struct fault *f) {
  cleanup_free char *url = mem_printf("%s/git-upload-pack", base);
  struct git_answer answer = {.pack = git_pack_feed, .context = pack};
  cleanup_free struct git_packets *packets = packets_new(git_answer_packet, &answer);
  struct request request = {
      .url = url,
      .post = body->data,
      .post_length = body->length,
      .content_type = "application/x-git-upload-pack-request",
      .accept = "application/x-git-upload-pack-result",
      .max_bytes = max_bytes,
      .sink = feed_packets,
      .context = packets,
  };
  if (!download_run(network, &request, NULL, f)) return false;
  if (answer.stage == 3 && git_packets_whole(packets)) return true;
  return fault_retry(f, "Incomplete", "The git server ended its answer early. It will be tried again.");
}

static bool fetch_pack(const struct network *network, const char *base, const struct git_offer *offer,
                       const struct git_want *want, const struct git_source *source, const struct limits *limits,
                       const char *folder, struct tree *into, struct fault *f) {
  struct str cleanup_str body = STR_INIT(REQUEST_MAX);
  git_want_body(offer, want, &body);
  struct git_pack *pack = git_pack_new(folder, network->deadline, f);
  if (!pack) return false;
  bool ok = receive_pack(network, base, &body, limits->max_bytes, pack, f) && git_pack_end(pack, f) &&
            git_pack_checkout(pack, want->target, source->path, into, f);
  git_pack_free(pack);
  return ok;
}

bool git_fetch(const struct network *network, const struct git_source *source, const struct limits *limits, int work,
               struct tree *into, struct fault *f) {
  if (!git_ref_check(source->ref, f)) return false;
  cleanup_free char *base = repository_url(source->url, f);
  if (!base) return false;
  progress_step("fetching %s of the repository %s", source->ref, base);
  int cleanup_fd folder = files_make_folder(work, "pack", f);
  if (folder < 0) return false;
  // libgit2 takes paths; this one names our own folder by its descriptor, wherever the workspace is.
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", folder);

  struct git_offer offer;
  struct git_want want;
  cleanup_free char *moved = NULL;
  git_offer_init(&offer, source->ref);
  bool ok = ask_offer(network, base, &offer, &moved, f) && git_offer_decide(&offer, &want, f);
  if (ok && want.deep) progress_step("the server gives no single commit: receiving all branches and tags");
  ok = ok && fetch_pack(network, moved, &offer, &want, source, limits, path, into, f);
  git_offer_done(&offer);
  return ok;
}
