#include "layout.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/json.h"
#include "base/memory.h"

#include "files.h"

static const char *const MANIFEST_TYPES[] = {
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
};
static const char *const CONFIG_TYPES[] = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
};
static const char *const LAYER_TYPES[] = {
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
};

static bool bad(struct fault *f, const char *what) {
  return fault_refuse(f, "BadImage", "What the build left is no image that can be pushed: %s.", what);
}

// ---- digests -------------------------------------------------------------------------------------

bool layout_is_digest(const char *text) {
  if (!text_starts(text, "sha256:")) return false;
  return strspn(text + 7, "0123456789abcdef") == 64 && text[7 + 64] == '\0';
}

static void finish_digest(EVP_MD_CTX *context, char ret[LAYOUT_DIGEST]) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(context, bytes, &size) != 1 || size != 32) abort();
  snprintf(ret, LAYOUT_DIGEST, "sha256:");
  for (unsigned int i = 0; i < size; i++) snprintf(ret + 7 + (size_t)2 * i, 3, "%02x", bytes[i]);
}

static EVP_MD_CTX *begin_digest(void) {
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) abort();
  return context;
}

void layout_digest(const void *bytes, size_t length, char ret[LAYOUT_DIGEST]) {
  EVP_MD_CTX *context = begin_digest();
  if (EVP_DigestUpdate(context, bytes, length) != 1) abort();
  finish_digest(context, ret);
  EVP_MD_CTX_free(context);
}

// Of exactly `size` bytes from the start; false when the file has fewer.
static bool digest_of_file(int fd, int64_t size, char ret[LAYOUT_DIGEST]) {
  EVP_MD_CTX *context = begin_digest();
  static char bytes[256 << 10];
  int64_t at = 0;
  while (at < size) {
    size_t want = size - at < (int64_t)sizeof bytes ? (size_t)(size - at) : sizeof bytes;
    ssize_t n = pread(fd, bytes, want, at);
    if (n <= 0) break;
    if (EVP_DigestUpdate(context, bytes, (size_t)n) != 1) abort();
    at += n;
  }
  finish_digest(context, ret);
  EVP_MD_CTX_free(context);
  return at == size;
}

// ---- manifests -----------------------------------------------------------------------------------

static const char *known_type(const char *const *types, size_t count, const char *type) {
  for (size_t i = 0; i < count; i++)
    if (text_equal(types[i], type)) return types[i];
  return NULL;
}

static bool parse_blob(json *o, const char *const *types, size_t count, struct blob *ret, struct fault *f) {
  const char *digest = json_text(o, "digest");
  if (!layout_is_digest(digest)) return bad(f, "one of its parts has no SHA-256");
  memcpy(ret->digest, digest, LAYOUT_DIGEST);
  ret->media_type = known_type(types, count, json_text(o, "mediaType"));
  // Others: foreign layers, which whoever pulls the image would fetch from an address in it.
  if (!ret->media_type || json_get(o, "urls")) return bad(f, "one of its parts is of a kind that is not taken");
  ret->size = json_int(o, "size", -1);
  return ret->size >= 0 || bad(f, "one of its parts has no size");
}

bool image_parse(const char *bytes, size_t length, int64_t max_bytes, struct image *ret, struct fault *f) {
  *ret = (struct image){0};
  cleanup_json json *o = json_parse(bytes, length, NULL);
  const char *type = json_text(o, "mediaType");
  ret->media_type = type ? known_type(MANIFEST_TYPES, array_size(MANIFEST_TYPES), type) : MANIFEST_TYPES[0];
  if (!json_object_is_type(o, json_type_object) || !ret->media_type) return bad(f, "its manifest is of another kind");
  if (!parse_blob(json_get(o, "config"), CONFIG_TYPES, array_size(CONFIG_TYPES), &ret->config, f)) return false;
  if (ret->config.size > LAYOUT_CONFIG_MAX) return bad(f, "its configuration is too large");
  json *layers = json_get(o, "layers");
  size_t count = json_length(layers);
  if (count > LAYOUT_LAYERS) return bad(f, "it has more than 512 layers");
  int64_t total = ret->config.size;
  for (size_t i = 0; i < count; i++) {
    struct blob *layer = &ret->layers[ret->layer_count++];
    if (!parse_blob(json_item(layers, i), LAYER_TYPES, array_size(LAYER_TYPES), layer, f)) return false;
    if (layer->size > max_bytes - total) {
      return fault_refuse(f, "ImageTooBig", "The image is larger than %.4g MiB. Make it smaller.",
                          (double)max_bytes / (1 << 20));
    }
    total += layer->size;
  }
  return true;
}

static void add_blob(json *o, const struct blob *b) {
  json_add_text(o, "mediaType", b->media_type);
  json_add_int(o, "size", b->size);
  json_add_text(o, "digest", b->digest);
}

char *image_manifest(const struct image *image) {
  cleanup_json json *o = json_new_object();
  json_add_int(o, "schemaVersion", 2);
  json_add_text(o, "mediaType", image->media_type);
  add_blob(json_add_object(o, "config"), &image->config);
  json *layers = json_add_array(o, "layers");
  for (unsigned i = 0; i < image->layer_count; i++) add_blob(json_push_object(layers), &image->layers[i]);
  return json_print(o);
}

// ---- files ---------------------------------------------------------------------------------------

static int open_folder(int folder, const char *name) {
  return openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

// A plain file in the folder: no link to what is not the author's, no pipe that never ends.
static int open_file(int folder, const char *name, struct stat *ret) {
  int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd >= 0 && fstat(fd, ret) == 0 && S_ISREG(ret->st_mode)) return fd;
  files_close(&fd);
  return -1;
}

static bool read_all(int fd, int64_t size, struct str *ret) {
  char bytes[16 << 10];
  int64_t at = 0;
  for (ssize_t n; at < size && (n = pread(fd, bytes, sizeof bytes, at)) > 0; at += n)
    str_add_bytes(ret, bytes, (size_t)(n < size - at ? n : size - at));
  return at >= size && !ret->failed;
}

int layout_blob(const struct layout *l, const struct blob *b, struct fault *f) {
  struct stat info;
  int fd = open_file(l->blobs, b->digest + 7, &info);
  if (fd < 0) {
    bad(f, "one of its parts is missing");
    return -1;
  }
  char digest[LAYOUT_DIGEST];
  if (info.st_size == b->size && digest_of_file(fd, b->size, digest) && text_equal(digest, b->digest)) return fd;
  files_close(&fd);
  bad(f, "one of its parts is not what its name says");
  return -1;
}

static bool read_blob(const struct layout *l, const struct blob *b, struct str *ret, struct fault *f) {
  int cleanup_fd fd = layout_blob(l, b, f);
  return fd >= 0 && (read_all(fd, b->size, ret) || bad(f, "one of its parts cannot be read"));
}

static bool read_index(int folder, struct blob *ret, struct fault *f) {
  struct stat info;
  int cleanup_fd fd = open_file(folder, "index.json", &info);
  struct str cleanup_str text = STR_INIT(LAYOUT_MANIFEST_MAX);
  if (fd < 0 || info.st_size > LAYOUT_MANIFEST_MAX || !read_all(fd, info.st_size, &text))
    return bad(f, "there is no index of it");
  cleanup_json json *o = json_parse(str_text(&text), text.length, NULL);
  json *list = json_get(o, "manifests");
  if (json_length(list) != 1) return bad(f, "its index does not name one image");
  if (!parse_blob(json_item(list, 0), MANIFEST_TYPES, array_size(MANIFEST_TYPES), ret, f)) return false;
  return ret->size <= LAYOUT_MANIFEST_MAX || bad(f, "its manifest is too large");
}

static bool read_config(struct layout *l, struct fault *f) {
  struct str cleanup_str text = STR_INIT(LAYOUT_CONFIG_MAX);
  if (!read_blob(l, &l->image.config, &text, f)) return false;
  cleanup_json json *o = json_parse(str_text(&text), text.length, NULL);
  if (!json_object_is_type(o, json_type_object)) return bad(f, "its configuration is no JSON");
  l->created = json_time(o, "created");
  return true;
}

static bool read_image(int folder, int64_t max_bytes, struct layout *ret, struct fault *f) {
  struct blob manifest = {0};
  struct str cleanup_str text = STR_INIT(LAYOUT_MANIFEST_MAX);
  if (!read_index(folder, &manifest, f)) return false;
  int cleanup_fd blobs = open_folder(folder, "blobs");
  ret->blobs = blobs < 0 ? -1 : open_folder(blobs, "sha256");
  if (ret->blobs < 0) return bad(f, "its parts are missing");
  return read_blob(ret, &manifest, &text, f) && image_parse(str_text(&text), text.length, max_bytes, &ret->image, f) &&
         read_config(ret, f);
}

bool layout_open(int folder, const char *name, int64_t max_bytes, struct layout *ret, struct fault *f) {
  *ret = LAYOUT_NONE;
  int cleanup_fd own = open_folder(folder, name);
  if (own < 0) return bad(f, "there is none");
  if (read_image(own, max_bytes, ret, f)) return true;
  layout_close(ret);
  return false;
}

void layout_close(struct layout *l) {
  files_close(&l->blobs);
  l->blobs = -1;
}
