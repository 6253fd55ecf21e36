// The C library's allocation for whole programs, foreign libraries included: out of memory ends the program with one
// line, as in memory.c. json-c would go on with a value missing from what it read, or follow NULL. Linked into
// programs, not into libbase.
//
// A huge request that is refused comes back as NULL: it is not memory that ran out but what somebody's archive asks
// for, and the library that asked says so.
#include <errno.h>
#include <stddef.h>

#include "base/memory.h"

// The sanitizers bring an allocator of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_ALLOCATOR 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HAS_ALLOCATOR 1
#endif
#endif

#ifdef HAS_ALLOCATOR

typedef int allocator_is_the_sanitizers;

#else

enum { HUGE_BYTES = 64 << 20 };

// glibc's own names of what is replaced here.
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static void *checked(void *pointer, size_t size) {
  return pointer || size >= HUGE_BYTES ? pointer : mem_must(NULL);
}

void *malloc(size_t size) {
  return checked(__libc_malloc(size), size);
}

void *calloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return NULL;
  }
  return checked(__libc_calloc(count, size), bytes);
}

void *realloc(void *old, size_t size) {
  void *pointer = __libc_realloc(old, size);
  return size == 0 ? pointer : checked(pointer, size);  // of size 0 it frees
}

#endif
