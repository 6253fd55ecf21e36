#include "git_memory.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <git2.h>
#include <git2/sys/alloc.h>

// fetch is one thread; libgit2's own threads are not used for indexing.
static size_t limit = SIZE_MAX, used;
static bool exceeded;

static bool fits(size_t size) {
  if (size <= limit && used <= limit - size) return true;
  exceeded = true;
  errno = ENOMEM;
  return false;
}

static void *take(void *pointer) {
  if (pointer) used += malloc_usable_size(pointer);
  return pointer;
}

static void *bounded_malloc(size_t n, const char *file, int line) {
  (void)file, (void)line;
  return fits(n) ? take(malloc(n ? n : 1)) : NULL;
}

static void *bounded_calloc(size_t count, size_t size, const char *file, int line) {
  (void)file, (void)line;
  size_t n;
  if (__builtin_mul_overflow(count, size, &n) || !fits(n)) return NULL;
  return take(calloc(1, n ? n : 1));
}

static char *copy(const char *text, size_t length) {
  char *ret = bounded_malloc(length + 1, NULL, 0);
  if (!ret) return NULL;
  memcpy(ret, text, length);
  ret[length] = '\0';
  return ret;
}

static char *bounded_strdup(const char *text, const char *file, int line) {
  (void)file, (void)line;
  return copy(text, strlen(text));
}

static char *bounded_strndup(const char *text, size_t n, const char *file, int line) {
  (void)file, (void)line;
  return copy(text, strnlen(text, n));
}

static char *bounded_substrdup(const char *text, size_t n, const char *file, int line) {
  (void)file, (void)line;
  return copy(text, n);
}

static void *bounded_realloc(void *pointer, size_t n, const char *file, int line) {
  (void)file, (void)line;
  size_t before = pointer ? malloc_usable_size(pointer) : 0;
  if (n > before && !fits(n - before)) return NULL;
  void *ret = realloc(pointer, n ? n : 1);
  if (!ret) return NULL;
  used -= before;
  return take(ret);
}

static void *bounded_reallocarray(void *pointer, size_t count, size_t size, const char *file, int line) {
  size_t n;
  return __builtin_mul_overflow(count, size, &n) ? NULL : bounded_realloc(pointer, n, file, line);
}

static void *bounded_mallocarray(size_t count, size_t size, const char *file, int line) {
  size_t n;
  return __builtin_mul_overflow(count, size, &n) ? NULL : bounded_malloc(n, file, line);
}

static void bounded_free(void *pointer) {
  if (pointer) used -= malloc_usable_size(pointer);
  free(pointer);
}

void git_memory_limit(size_t bytes) {
  static git_allocator allocator = {
      .gmalloc = bounded_malloc,
      .gcalloc = bounded_calloc,
      .gstrdup = bounded_strdup,
      .gstrndup = bounded_strndup,
      .gsubstrdup = bounded_substrdup,
      .grealloc = bounded_realloc,
      .greallocarray = bounded_reallocarray,
      .gmallocarray = bounded_mallocarray,
      .gfree = bounded_free,
  };
  limit = bytes;
  if (git_libgit2_opts(GIT_OPT_SET_ALLOCATOR, &allocator) != 0) abort();
}

bool git_memory_exceeded(void) {
  return exceeded;
}
