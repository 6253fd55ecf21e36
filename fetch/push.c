#include "push.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#include "files.h"
#include "layers.h"
#include "layout.h"
#include "progress.h"
#include "registry.h"

static bool put_parts(struct registry *r, const struct layout *l, struct fault *f) {
  for (unsigned i = 0; i <= l->image.layer_count; i++) {
    const struct blob *b = i < l->image.layer_count ? &l->image.layers[i] : &l->image.config;
    int cleanup_fd fd = layout_blob(l, b, f);
    if (fd < 0 || !registry_put_blob(r, b, fd, f)) return false;
  }
  return true;
}

char *push_layout(struct registry *r, const struct layout *l, const char *tag, struct fault *f) {
  if (!put_parts(r, l, f)) return NULL;
  char *manifest = image_manifest(&l->image);
  if (registry_put_manifest(r, tag, l->image.media_type, manifest, f)) return manifest;
  free(manifest);
  return NULL;
}

static bool write_message(const char *path, const char *digest, struct fault *f) {
  int cleanup_fd fd = open(path ? path : "/dev/termination-log", O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0644);
  return (fd >= 0 && files_write(fd, digest, strlen(digest))) || files_fault(f, "write the digest");
}

static bool push_one(const struct options *o, int folder, struct fault *f) {
  const char *tag = strrchr(o->to, ':');
  cleanup_free char *repository = mem_strndup(o->to, (size_t)(tag - o->to));
  struct layout cleanup_layout layout = LAYOUT_NONE;
  if (!layout_open(folder, "image", o->limits.max_bytes, &layout, f)) return false;
  struct registry *r = registry_open(repository, &o->registry, f);
  if (!r) return false;
  progress_step("pushing %u layers to %s", layout.image.layer_count, o->to);
  cleanup_free char *manifest = push_layout(r, &layout, tag + 1, f);
  registry_close(r);
  if (!manifest) return false;
  char digest[LAYOUT_DIGEST];
  layout_digest(manifest, strlen(manifest), digest);
  progress_step("pushed %s@%s", repository, digest);
  return write_message(o->message_file, digest, f);
}

bool push_image(const struct options *o, struct fault *f) {
  int cleanup_fd folder = open(o->from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return files_fault(f, "open a folder");
  if (!push_one(o, folder, f)) return false;
  if (o->cache) layers_keep(o, folder);
  return true;
}
