#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void files_close(const int *fd) {
  if (*fd >= 0) close(*fd);
}

bool files_read(const char *path, struct str *ret) {
  int cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char bytes[16 << 10];
  ssize_t n;
  while ((n = read(fd, bytes, sizeof bytes)) > 0) str_add_bytes(ret, bytes, (size_t)n);
  return n == 0 && !ret->failed;
}

bool files_write(int fd, const void *bytes, size_t length) {
  const char *at = bytes;
  while (length > 0) {
    ssize_t n = write(fd, at, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    length -= (size_t)n;
  }
  return true;
}

static bool remove_children(int fd) {
  int copy = dup(fd);
  DIR *folder = copy < 0 ? NULL : fdopendir(copy);
  if (!folder) {
    if (copy >= 0) close(copy);
    return false;
  }
  bool ok = true;
  for (struct dirent *entry; ok && (entry = readdir(folder)) != NULL;) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) ok = files_remove(fd, entry->d_name);
  }
  closedir(folder);
  return ok;
}

bool files_remove(int folder, const char *name) {
  if (unlinkat(folder, name, 0) == 0 || errno == ENOENT) return true;
  if (errno != EISDIR && errno != EPERM) return false;
  int cleanup_fd fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return fd >= 0 && remove_children(fd) && unlinkat(folder, name, AT_REMOVEDIR) == 0;
}

int files_make_folder(int folder, const char *name, struct fault *f) {
  if (mkdirat(folder, name, 0755) != 0) {
    files_fault(f, "make a folder");
    return -1;
  }
  int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) files_fault(f, "open a folder");
  return fd;
}

enum files_kind files_kind(int folder, const char *name) {
  struct stat info;
  if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return FILES_NONE;
  if (S_ISREG(info.st_mode)) return FILES_REGULAR;
  if (S_ISDIR(info.st_mode)) return FILES_FOLDER;
  return S_ISLNK(info.st_mode) ? FILES_LINK : FILES_OTHER;
}

bool files_fault(struct fault *f, const char *doing) {
  int problem = errno;
  if (problem == ENOSPC || problem == EDQUOT || problem == EFBIG) {
    return fault_refuse(f, "TooBig", "The source does not fit on the disk that a build gets. Make it smaller.");
  }
  return fault_retry(f, "DiskError", "Could not %s in the workspace: %s.", doing, strerror(problem));
}
