// Runs a fuzz target over the files of its corpus: those beside the one given. A finding ends the program.
#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target.h"

static int run_file(int folder, const char *name) {
  int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    if (fd >= 0) close(fd);
    return 0;
  }
  // Exactly as large as the input: reading beyond it is seen by the sanitizer.
  size_t size = (size_t)info.st_size;
  uint8_t *data = malloc(size ? size : 1);
  if (!data || read(fd, data, size) != info.st_size) abort();
  close(fd);
  LLVMFuzzerTestOneInput(data, size);
  free(data);
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  int folder = open(dirname(argv[1]), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = folder < 0 ? NULL : fdopendir(dup(folder));
  if (!entries) return 2;
  int count = 0;
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) count += run_file(folder, entry->d_name);
  closedir(entries);
  close(folder);
  fprintf(stderr, "%d inputs\n", count);
  return count > 1 ? 0 : 2;
}
