#include "tree.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/memory.h"

#include "files.h"
#include "path.h"

struct entry {
  bool folder;
  char path[];  // as it was written: the map's key is folded
};

struct tree {
  int root;
  struct limits limits;
  struct map *entries;  // lower-case path -> struct entry
  int64_t bytes;
  int file;  // the file being written, or -1
  int64_t offset;
  int folder;  // the current folder, or -1: most files come folder by folder
  char folder_path[PATH_MAX_BYTES + 1];
  bool link_to_root;
  size_t folders_named;
};

struct tree *tree_new(int folder, const struct limits *limits) {
  struct tree *t = mem_alloc(sizeof *t);
  t->root = folder;
  t->limits = *limits;
  t->entries = map_new(free);
  t->file = -1;
  t->folder = -1;
  return t;
}

void tree_free(struct tree *t) {
  if (!t) return;
  if (t->file >= 0) close(t->file);
  if (t->folder >= 0) close(t->folder);
  map_free(t->entries);
  free(t);
}

size_t tree_count(const struct tree *t) {
  return map_count(t->entries);
}

int64_t tree_bytes(const struct tree *t) {
  return t->bytes;
}

bool tree_link_to_root(const struct tree *t) {
  return t->link_to_root;
}

static void fold(const char *path, char ret[PATH_MAX_BYTES + 1]) {
  size_t i = 0;
  for (; path[i]; i++) ret[i] = (char)tolower((unsigned char)path[i]);
  ret[i] = '\0';
}

static bool too_many(const struct tree *t, struct fault *f) {
  return fault_refuse(f, "TooManyFiles",
                      "The source has more than %zu files and folders. Leave out what the agent does not need.",
                      t->limits.max_files);
}

// Notes a new entry, or finds the folder that is there already (`ret_known`).
static bool note(struct tree *t, const char *path, bool folder, bool *ret_known, struct fault *f) {
  char key[PATH_MAX_BYTES + 1], a[FAULT_QUOTE_SIZE], b[FAULT_QUOTE_SIZE];
  fold(path, key);
  const struct entry *old = map_get(t->entries, key);
  *ret_known = old != NULL;
  if (old && strcmp(old->path, path) != 0) {
    return fault_refuse(f, "NameCollision", "%s and %s in the source differ only in case. Rename one of them.",
                        fault_quote(old->path, a), fault_quote(path, b));
  }
  if (old && old->folder && folder) return true;
  if (old) {
    return fault_refuse(f, "DuplicateName", "%s is in the source twice. Pack it again with each file once.",
                        fault_quote(path, a));
  }
  if (map_count(t->entries) >= t->limits.max_files) return too_many(t, f);
  size_t size = strlen(path) + 1;
  struct entry *entry = mem_alloc(sizeof *entry + size);
  entry->folder = folder;
  memcpy(entry->path, path, size);
  map_put(t->entries, key, entry);
  return true;
}

// Steps from the current folder into `name`, making it when it is new.
static bool enter(struct tree *t, const char *name, bool make, struct fault *f) {
  if (make && mkdirat(t->folder, name, 0755) != 0) return files_fault(f, "make a folder");
  int next = openat(t->folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (next < 0) return files_fault(f, "open a folder");
  close(t->folder);
  t->folder = next;
  return true;
}

// Makes the first `length` bytes of `path` the current folder, noting and making what is missing.
static bool go_to(struct tree *t, const char *path, size_t length, struct fault *f) {
  if (t->folder >= 0 && strlen(t->folder_path) == length && memcmp(t->folder_path, path, length) == 0) return true;
  if (t->folder >= 0) close(t->folder);
  t->folder = fcntl(t->root, F_DUPFD_CLOEXEC, 0);
  bool ok = t->folder >= 0 || files_fault(f, "open a folder");
  t->folder_path[0] = '\0';
  for (size_t start = 0; ok && start < length;) {
    size_t end = start + strcspn(path + start, "/");
    memcpy(t->folder_path, path, end);
    t->folder_path[end] = '\0';
    bool known;
    ok = note(t, t->folder_path, true, &known, f) && enter(t, t->folder_path + start, !known, f);
    start = end + 1;
  }
  if (!ok && t->folder >= 0) {
    close(t->folder);
    t->folder = -1;
  }
  return ok;
}

bool tree_folder(struct tree *t, const char *name, struct fault *f) {
  char path[PATH_MAX_BYTES + 1];
  if (!path_normalize(name, path, f)) return false;
  // The same folder may be named again, but not for ever.
  if (t->folders_named++ >= t->limits.max_files) return too_many(t, f);
  return go_to(t, path, strlen(path), f);
}

// Goes to a new file's or link's folder and notes its name; `ret_last` is its last part.
static bool go_to_place(struct tree *t, const char *name, char path[PATH_MAX_BYTES + 1], const char **ret_last,
                        struct fault *f) {
  if (!path_normalize(name, path, f)) return false;
  if (!*path) return fault_refuse(f, "UnsafePath", "The source has a file without a name. Pack it again.");
  const char *slash = strrchr(path, '/');
  *ret_last = slash ? slash + 1 : path;
  bool known;
  return go_to(t, path, slash ? (size_t)(slash - path) : 0, f) && note(t, path, false, &known, f);
}

bool tree_link(struct tree *t, const char *name, const char *target, struct fault *f) {
  char path[PATH_MAX_BYTES + 1];
  const char *last;
  if (!go_to_place(t, name, path, &last, f)) return false;
  size_t climb;
  if (!path_link_inside(path, target, &climb, f)) return false;
  if (climb + 1 >= path_depth(path)) t->link_to_root = true;
  return symlinkat(target, t->folder, last) == 0 || files_fault(f, "make a link");
}

bool tree_file(struct tree *t, const char *name, bool executable, struct fault *f) {
  char path[PATH_MAX_BYTES + 1];
  const char *last;
  if (!go_to_place(t, name, path, &last, f)) return false;
  t->file = openat(t->folder, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, executable ? 0755 : 0644);
  t->offset = 0;
  return t->file >= 0 || files_fault(f, "make a file");
}

static bool count_bytes(struct tree *t, int64_t length, struct fault *f) {
  if (length <= t->limits.max_bytes - t->bytes) {
    t->bytes += length;
    return true;
  }
  return fault_refuse(f, "TooBig",
                      "The source has more than %.4g MiB when unpacked. Leave out what the agent does not need.",
                      (double)t->limits.max_bytes / (1 << 20));
}

bool tree_write(struct tree *t, const void *bytes, size_t length, struct fault *f) {
  if (!count_bytes(t, (int64_t)length, f)) return false;
  t->offset += (int64_t)length;
  return files_write(t->file, bytes, length) || files_fault(f, "write a file");
}

bool tree_write_at(struct tree *t, int64_t offset, const void *bytes, size_t length, struct fault *f) {
  int64_t gap = offset - t->offset;
  if (gap < 0) return fault_refuse(f, "BadArchive", "The archive's parts of a file overlap. Pack it again.");
  if (gap > 0) {
    if (!count_bytes(t, gap, f)) return false;
    // The gap stays a hole, but counts: what copies the tree later may fill it.
    if (ftruncate(t->file, offset) != 0 || lseek(t->file, offset, SEEK_SET) < 0) return files_fault(f, "write a file");
    t->offset = offset;
  }
  return tree_write(t, bytes, length, f);
}

bool tree_file_end(struct tree *t, struct fault *f) {
  int file = t->file;
  t->file = -1;
  return close(file) == 0 || files_fault(f, "write a file");
}
