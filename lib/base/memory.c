#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

void *mem_must(void *pointer) {
  if (!pointer) {
    fputs("out of memory\n", stderr);
    abort();
  }
  return pointer;
}

void *mem_alloc(size_t size) {
  return mem_must(calloc(1, size ? size : 1));
}

void *mem_grow(void *old, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) mem_must(NULL);
  return mem_must(realloc(old, bytes ? bytes : 1));
}

char *mem_strdup(const char *text) {
  return text ? mem_must(strdup(text)) : NULL;
}

char *mem_strndup(const char *text, size_t length) {
  if (text == NULL) return NULL;
  // Not strndup: what is not ended by a NUL is fine here, which checkers of the C library's strings do not believe.
  const size_t size = strnlen(text, length);
  return memcpy(mem_alloc(size + 1), text, size);
}

char *mem_printf(const char *format, ...) {
  char *text = NULL;
  va_list args;
  va_start(args, format);
  int length = vasprintf(&text, format, args);
  va_end(args);
  return mem_must(length < 0 ? NULL : text);
}

void mem_free_pointer(void *pointer_to_pointer) {
  void *pointer;
  memcpy(&pointer, pointer_to_pointer, sizeof(pointer));  // whatever type it points to
  free(pointer);
  pointer = NULL;
  memcpy(pointer_to_pointer, &pointer, sizeof(pointer));
}

void mem_trim(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

void mem_replace(char **field, const char *text) {
  char *copy = mem_strdup(text);  // first: `text` may be *field or lie inside it
  free(*field);
  *field = copy;
}
