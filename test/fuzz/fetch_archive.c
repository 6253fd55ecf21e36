// Any bytes as an archive: the first one chooses the format. Nothing may be made outside of the tree, no link in it may
// lead out, and the limits hold.
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "target.h"
#include "tree.h"
#include "unpack.h"

static char outer[PATH_MAX], root[PATH_MAX];
static size_t found;

static void check(bool holds) {
  if (!holds) abort();
}

static int check_entry(const char *path, const struct stat *info, int kind, struct FTW *at) {
  (void)kind;
  if (at->level == 0) return 0;
  found++;
  char real[PATH_MAX];
  if (S_ISLNK(info->st_mode)) check(!realpath(path, real) || strncmp(real, root, strlen(root)) == 0);
  check(S_ISLNK(info->st_mode) || S_ISDIR(info->st_mode) || S_ISREG(info->st_mode));
  check((info->st_mode & (S_ISUID | S_ISGID | S_ISVTX)) == 0);
  return 0;
}

static void make_outer(void) {
  if (*outer) return;
  const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  snprintf(outer, sizeof outer, "%s/fuzz-archive-XXXXXX", base);
  check(mkdtemp(outer) != NULL);
  snprintf(root, sizeof root, "%.*s/root", (int)sizeof outer - 8, outer);
}

static void remove_outer(void) {
  rmdir(outer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  if (!*outer) atexit(remove_outer);
  make_outer();
  umask(022);
  int folder = open(outer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct fault f = {0};
  int tree_folder_fd = files_make_folder(folder, "root", &f);
  check(tree_folder_fd >= 0);
  int file = memfd_create("archive", MFD_CLOEXEC);
  check(file >= 0 && files_write(file, data + 1, size - 1) && lseek(file, 0, SEEK_SET) == 0);

  struct limits limits = {.max_bytes = 1 << 20, .max_files = 50};
  struct tree *t = tree_new(tree_folder_fd, &limits);
  bool ok = unpack_archive(file, data[0] % 2 ? UNPACK_ZIP : UNPACK_TAR_GZ, t, &f);
  check(ok == (f.kind == FAULT_NONE));
  check(tree_count(t) <= limits.max_files && tree_bytes(t) <= limits.max_bytes);
  found = 0;
  check(nftw(root, check_entry, 16, FTW_PHYS) == 0);
  check(found <= tree_count(t));
  tree_free(t);
  close(file);
  close(tree_folder_fd);
  check(files_remove(folder, "root"));
  // Had anything been made beside the tree, the folder would not be empty now.
  check(unlinkat(AT_FDCWD, outer, AT_REMOVEDIR) == 0 && mkdir(outer, 0700) == 0);
  close(folder);
  return 0;
}
