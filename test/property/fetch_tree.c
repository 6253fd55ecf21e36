// A tree of random names and links, hostile ones among them, on a real disk: nothing is ever made outside of it, every
// link that was accepted leads inside, and what was accepted is what is there.
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"

#include "path.h"
#include "random.h"
#include "tree.h"

static struct random r;
static size_t found;
static char root[PATH_MAX];

// Few different parts, so that names meet each other.
static void random_name(char *ret, size_t size) {
  static const char *const parts[] = {"a",    "b",        "c",    "A",        "..",  ".",  "",
                                      "d\\e", "\xc3\xa9", "\xff", "agent.py", "...", "a\n"};
  size_t used = 0;
  ret[0] = '\0';
  for (unsigned n = 1 + random_below(&r, 5), i = 0; i < n; i++) {
    unsigned kind = random_below(&r, 20) == 0 ? (unsigned)array_size(parts) : random_below(&r, 4);
    if (random_below(&r, 6) == 0) kind = 4;
    const char *part = kind < array_size(parts) ? parts[kind] : parts[random_below(&r, array_size(parts))];
    used += (size_t)snprintf(ret + used, size - used, "%s%s", i ? "/" : random_below(&r, 40) ? "" : "/", part);
  }
}

static void random_step(struct tree *t) {
  char name[256], target[256], path[PATH_MAX_BYTES + 1];
  struct fault f = {0};
  random_name(name, sizeof name);
  random_name(target, sizeof target);
  bool good = path_normalize(name, path, &(struct fault){0});
  bool done = false;
  switch (random_below(&r, 4)) {
    case 0: done = tree_folder(t, name, &f); break;
    case 1: done = tree_link(t, name, target, &f); break;
    default:
      done = tree_file(t, name, random_below(&r, 2) == 0, &f) && tree_write(t, name, strlen(name), &f) &&
             tree_file_end(t, &f);
  }
  if (done && !good) fail_msg("%s was accepted", name);
  assert_int_equal(f.kind, done ? FAULT_NONE : FAULT_REFUSED);
}

static int check_entry(const char *path, const struct stat *info, int kind, struct FTW *at) {
  (void)kind;
  if (at->level == 0) return 0;
  found++;
  if (S_ISLNK(info->st_mode)) {
    char real[PATH_MAX];
    // Links may lead nowhere or in circles, but never out.
    if (realpath(path, real) && strncmp(real, root, strlen(root)) != 0) fail_msg("%s leads to %s", path, real);
  } else if (S_ISREG(info->st_mode)) {
    int mode = info->st_mode & 07777;
    assert_true(mode == 0644 || mode == 0755);
  } else {
    assert_true(S_ISDIR(info->st_mode));
    assert_int_equal(info->st_mode & 07777, 0755);
  }
  return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *at) {
  (void)info, (void)kind, (void)at;
  return remove(path);
}

static size_t entries_of(const char *path) {
  DIR *folder = opendir(path);
  size_t count = 0;
  while (readdir(folder)) count++;
  closedir(folder);
  return count;
}

static void nothing_leaves_the_tree(void **state) {
  (void)state;
  umask(022);
  for (int round = 0; round < 60; round++) {
    char outer[] = "/tmp/fetch-tree-XXXXXX", canary[PATH_MAX];
    assert_non_null(mkdtemp(outer));
    // Two folders deep, so that a way out would still be inside of what this test removes.
    snprintf(canary, sizeof canary, "%s/x", outer);
    assert_int_equal(mkdir(canary, 0755), 0);
    snprintf(root, sizeof root, "%s/x/root", outer);
    assert_int_equal(mkdir(root, 0755), 0);
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct limits limits = {.max_bytes = 2000, .max_files = 60};
    struct tree *t = tree_new(fd, &limits);
    for (int i = 0; i < 120; i++) random_step(t);

    found = 0;
    assert_int_equal(nftw(root, check_entry, 16, FTW_PHYS), 0);
    // A name may be noted and then refused (a link's target), but nothing is there that was not noted.
    assert_true(found <= tree_count(t));
    assert_true(tree_count(t) <= limits.max_files && tree_bytes(t) <= limits.max_bytes);
    assert_int_equal(entries_of(outer), 3);
    assert_int_equal(entries_of(canary), 3);
    tree_free(t);
    close(fd);
    assert_int_equal(nftw(outer, remove_entry, 16, FTW_PHYS | FTW_DEPTH), 0);
  }
}

// What path_normalize lets through is clean, and clean already.
static void normalized_names_are_clean(void **state) {
  (void)state;
  for (int i = 0; i < 200000; i++) {
    char name[256], path[PATH_MAX_BYTES + 1], again[PATH_MAX_BYTES + 1];
    struct fault f = {0};
    random_name(name, sizeof name);
    if (random_below(&r, 3) == 0) name[random_below(&r, (unsigned)strlen(name) + 1)] = (char)random_below(&r, 256);
    if (!path_normalize(name, path, &f)) continue;
    assert_true(path[0] != '/' && !strstr(path, "//"));
    if (*path) assert_true(path_normalize(path, again, &f));
    if (*path) assert_string_equal(path, again);
    for (const char *part = path; *part; part += strcspn(part, "/"), part += *part == '/') {
      size_t n = strcspn(part, "/");
      assert_false((n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'));
    }
  }
}

int main(void) {
  r.state = random_seed();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_leaves_the_tree),
      cmocka_unit_test(normalized_names_are_clean),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
