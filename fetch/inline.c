#include "inline.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/str.h"

#include "files.h"
#include "path.h"

enum { COPY_BYTES = 64 << 10 };

// The folder that holds the files: what `..data` names, one folder beside it, or the mount itself.
static int open_source(const char *from, struct fault *f) {
  int mount = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (mount < 0) {
    fault_retry(f, "SourceMissing", "The inline source is not mounted: %s.", strerror(errno));
    return -1;
  }
  char name[NAME_MAX + 1];
  ssize_t length = readlinkat(mount, "..data", name, sizeof name - 1);
  if (length <= 0) return mount;
  name[length] = '\0';
  int data = -1;
  if (strchr(name, '/') || text_equal(name, "..")) {
    fault_refuse(f, "UnsafePath", "The mounted inline source has a link that leaves it.");
  } else if ((data = openat(mount, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0) {
    fault_retry(f, "SourceMissing", "The inline source cannot be opened: %s.", strerror(errno));
  }
  close(mount);
  return data;
}

static bool copy_file(int folder, const char *name, const char *path, struct tree *into, struct fault *f) {
  int cleanup_fd in = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (in < 0) return fault_retry(f, "SourceMissing", "The inline source cannot be read: %s.", strerror(errno));
  if (!tree_file(into, path, false, f)) return false;
  char bytes[COPY_BYTES];
  ssize_t n;
  while ((n = read(in, bytes, sizeof bytes)) > 0) {
    if (!tree_write(into, bytes, (size_t)n, f)) return false;
  }
  if (n < 0) return fault_retry(f, "SourceMissing", "The inline source cannot be read: %s.", strerror(errno));
  return tree_file_end(into, f);
}

static bool copy_folder(int folder, const char *path, struct tree *into, struct fault *f);

static bool copy_entry(int folder, const char *name, const char *path, struct tree *into, struct fault *f) {
  char quoted[FAULT_QUOTE_SIZE];
  switch (files_kind(folder, name)) {
    case FILES_REGULAR: return copy_file(folder, name, path, into, f);
    case FILES_FOLDER: {
      int cleanup_fd inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (inner < 0) return fault_retry(f, "SourceMissing", "The inline source cannot be read: %s.", strerror(errno));
      return tree_folder(into, path, f) && copy_folder(inner, path, into, f);
    }
    default: return fault_refuse(f, "UnsafeFile", "%s in the inline source is not a file.", fault_quote(path, quoted));
  }
}

static bool copy_folder(int folder, const char *path, struct tree *into, struct fault *f) {
  int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = copy < 0 ? NULL : fdopendir(copy);
  if (!entries) return fault_retry(f, "SourceMissing", "The inline source cannot be read: %s.", strerror(errno));
  bool ok = true;
  for (struct dirent *entry; ok && (entry = readdir(entries)) != NULL;) {
    const char *name = entry->d_name;
    if (text_equal(name, ".") || text_equal(name, "..")) continue;
    cleanup_free char *inner = text_empty(path) ? mem_strdup(name) : mem_printf("%s/%s", path, name);
    ok = copy_entry(folder, name, inner, into, f);
  }
  closedir(entries);
  return ok;
}

bool inline_copy(const char *from, struct tree *into, struct fault *f) {
  int cleanup_fd source = open_source(from, f);
  return source >= 0 && copy_folder(source, "", into, f);
}
