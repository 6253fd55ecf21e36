#include "layers.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/memory.h"

#include "files.h"
#include "progress.h"

#define PREFIX "layer:"
#define LATEST "latest"
#define KEY_NAME "org.opencontainers.image.ref.name"

enum { KEY = 64, LAYERS_MAX = 64, NAMES_MAX = 4096, KEEP_MILLISECONDS = 24 * 3600 * 1000 };
static const int64_t BYTES_MAX = (int64_t)1 << 30;  // of all together, in the registry and in a build's folder

static bool is_key(const char *text) {
  return text && strspn(text, "0123456789abcdef") == KEY && !text[KEY];
}

static void say(const char *what, const struct fault *f) {
  if (f->kind != FAULT_NONE) progress_step("%s: %s", what, f->message);
}

// ---- before the build ----------------------------------------------------------------------------

static bool write_file(int folder, const char *name, const char *text, struct fault *f) {
  int cleanup_fd fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  return (fd >= 0 && files_write(fd, text, strlen(text))) || files_fault(f, "write a layer");
}

static bool bring_blob(struct registry *r, int blobs, const struct blob *b, struct fault *f) {
  int cleanup_fd fd = openat(blobs, b->digest + 7, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return files_fault(f, "write a layer");
  return registry_get_blob(r, b, fd, f);
}

static bool write_index(int own, const struct image *image, const char *digest, size_t length, struct fault *f) {
  cleanup_json json *o = json_new_object();
  json_add_int(o, "schemaVersion", 2);
  json *one = json_push_object(json_add_array(o, "manifests"));
  json_add_text(one, "mediaType", image->media_type);
  json_add_int(one, "size", (int64_t)length);
  json_add_text(one, "digest", digest);
  cleanup_free char *text = json_print(o);
  // The index comes last: without it there is no image, and so no half of one.
  return write_file(own, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", f) &&
         write_file(own, "index.json", text, f);
}

static bool fill(struct registry *r, int own, const char *digest, const struct str *manifest, const struct image *image,
                 struct fault *f) {
  int cleanup_fd outer = files_make_folder(own, "blobs", f);
  int cleanup_fd blobs = outer < 0 ? -1 : files_make_folder(outer, "sha256", f);
  if (blobs < 0) return false;
  for (unsigned i = 0; i < image->layer_count; i++)
    if (!bring_blob(r, blobs, &image->layers[i], f)) return false;
  return bring_blob(r, blobs, &image->config, f) && write_file(blobs, digest + 7, str_text(manifest), f) &&
         write_index(own, image, digest, manifest->length, f);
}

static bool bring_one(struct registry *r, int folder, json *entry, int64_t *left, struct fault *f) {
  const char *digest = json_text(entry, "digest"), *key = json_text(json_get(entry, "annotations"), KEY_NAME);
  if (!layout_is_digest(digest) || !is_key(key)) return true;
  struct str cleanup_str manifest = STR_INIT(LAYOUT_MANIFEST_MAX);
  struct image image;
  if (!registry_get_manifest(r, digest, json_text(entry, "mediaType"), &manifest, f) ||
      !image_parse(str_text(&manifest), manifest.length, *left, &image, f))
    return false;
  char name[sizeof PREFIX + KEY], found[LAYOUT_DIGEST];
  layout_digest(str_text(&manifest), manifest.length, found);
  if (!text_equal(found, digest)) return true;
  snprintf(name, sizeof name, PREFIX "%s", key);
  int cleanup_fd own = files_make_folder(folder, name, f);
  if (own >= 0 && fill(r, own, digest, &manifest, &image, f)) {
    for (unsigned i = 0; i < image.layer_count; i++) *left -= image.layers[i].size;
    return true;
  }
  files_remove(folder, name);
  return false;
}

static void bring_all(struct registry *r, int folder) {
  struct fault fault = {0};
  struct str cleanup_str text = STR_INIT(LAYOUT_MANIFEST_MAX);
  if (!registry_get_manifest(r, LATEST, TYPE_INDEX, &text, &fault)) return say("no layers of earlier builds", &fault);
  cleanup_json json *index = json_parse(str_text(&text), text.length, NULL);
  json *list = json_get(index, "manifests");
  int64_t left = BYTES_MAX;
  unsigned brought = 0;
  for (size_t i = 0; i < json_length(list) && i < LAYERS_MAX; i++) {
    struct fault own = {0};
    brought += bring_one(r, folder, json_item(list, i), &left, &own);
    say("a layer stays away", &own);
  }
  progress_step("brought %u layers of earlier builds, %.1f MiB", brought, (double)(BYTES_MAX - left) / (1 << 20));
}

void layers_bring(const struct options *o) {
  struct fault fault = {0};
  umask(022);
  int cleanup_fd folder = open(o->to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct registry *r = folder < 0 ? NULL : registry_open(o->cache, &o->registry, &fault);
  if (r) bring_all(r, folder);
  say("no layers of earlier builds", &fault);
  registry_close(r);
}

// ---- after the build -----------------------------------------------------------------------------

static int64_t bytes_of(const struct layout *l) {
  int64_t total = l->image.config.size;
  for (unsigned i = 0; i < l->image.layer_count; i++) total += l->image.layers[i].size;
  return total;
}

static bool keep_one(struct registry *r, int folder, const char *name, json *list, int64_t *left, struct fault *f) {
  struct layout cleanup_layout layout = LAYOUT_NONE;
  if (!layout_open(folder, name, *left, &layout, f)) return false;
  if (layout.created + KEEP_MILLISECONDS < clock_now()) return true;  // Kaniko would not take it any more
  const char *key = name + strlen(PREFIX);
  cleanup_free char *manifest = push_layout(r, &layout, key, f);
  if (!manifest) return false;
  char digest[LAYOUT_DIGEST];
  layout_digest(manifest, strlen(manifest), digest);
  json *one = json_push_object(list);
  json_add_text(one, "mediaType", layout.image.media_type);
  json_add_int(one, "size", (int64_t)strlen(manifest));
  json_add_text(one, "digest", digest);
  json_add_text(json_add_object(one, "annotations"), KEY_NAME, key);
  *left -= bytes_of(&layout);
  return true;
}

// `names` gets at most LAYERS_MAX keys' folders, heap.
static unsigned find_names(int folder, char *names[LAYERS_MAX]) {
  int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *listed = copy < 0 ? NULL : fdopendir(copy);
  if (!listed) {
    files_close(&copy);
    return 0;
  }
  unsigned found = 0, seen = 0;
  for (struct dirent *one; found < LAYERS_MAX && seen < NAMES_MAX && (one = readdir(listed)) != NULL; seen++)
    if (text_starts(one->d_name, PREFIX) && is_key(one->d_name + strlen(PREFIX)))
      names[found++] = mem_strdup(one->d_name);
  closedir(listed);
  return found;
}

static void keep_all(struct registry *r, int folder, char *const *names, unsigned count) {
  cleanup_json json *index = json_new_object();
  json_add_int(index, "schemaVersion", 2);
  json_add_text(index, "mediaType", TYPE_INDEX);
  json *list = json_add_array(index, "manifests");
  int64_t left = BYTES_MAX;
  for (unsigned i = 0; i < count; i++) {
    struct fault fault = {0};
    keep_one(r, folder, names[i], list, &left, &fault);
    say("a layer is not kept", &fault);
  }
  struct fault fault = {0};
  cleanup_free char *text = json_print(index);
  if (registry_put_manifest(r, LATEST, TYPE_INDEX, text, &fault))
    progress_step("kept %zu layers for the next build", json_length(list));
  say("no layers are kept for the next build", &fault);
}

void layers_keep(const struct options *o, int folder) {
  char *names[LAYERS_MAX];
  unsigned count = find_names(folder, names);
  struct fault fault = {0};
  struct registry *r = count > 0 ? registry_open(o->cache, &o->registry, &fault) : NULL;
  if (r) keep_all(r, folder, names, count);
  say("no layers are kept for the next build", &fault);
  registry_close(r);
  for (unsigned i = 0; i < count; i++) free(names[i]);
}
