#include "heap.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// With gcc's AddressSanitizer the region tells it what may be touched, and forgets nothing: what was freed is not
// given out again on the same way, so that every use after it is found.
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define RAW __attribute__((no_sanitize_address))
enum { REUSES = 0 };
#else
#define RAW
enum { REUSES = 1 };
#define ASAN_POISON_MEMORY_REGION(place, size) ((void)(place), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(place, size) ((void)(place), (void)(size))
#endif

// glibc's own allocator behind the names that this program takes over.
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *pointer);

enum {
  GRAIN = 16,
  SMALL = 2048,  // up to here blocks of every multiple of 16 bytes, beyond of every KiB
  SMALL_CLASSES = SMALL / GRAIN + 1,
  LARGE = 1024,
  LARGE_CLASSES = 512,
  CLASSES = SMALL_CLASSES + LARGE_CLASSES,
};
static const size_t region_size = (size_t)1 << 30;

struct block {
  size_t class;
  union {
    struct block *next;  // of a free one
    size_t size;         // of one in use
  };
};
_Static_assert(sizeof(struct block) == GRAIN, "blocks are aligned for any type");

struct region {
  size_t used;  // bytes from the region's begin, this header included
  struct block *free[CLASSES];
};

static struct region *region;
static bool inside;

extern char __data_start[], _end[];  // the program's writable static variables

void heap_init(void) {
  void *place = mmap((void *)(uintptr_t)0x200000000000, region_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) {
    fputs("model: no memory for the world\n", stderr);
    abort();
  }
  region = place;
  region->used = (sizeof(*region) + GRAIN - 1) / GRAIN * GRAIN;
  ASAN_POISON_MEMORY_REGION((char *)region + region->used, region_size - region->used);
}

void heap_enter(void) {
  inside = true;
}

void heap_leave(void) {
  inside = false;
}

size_t heap_used(void) {
  return region->used;
}

static bool is_inside(const void *pointer) {
  return (uintptr_t)pointer - (uintptr_t)region < region_size;
}

static size_t class_of(size_t size) {
  if (size <= SMALL) return size == 0 ? 1 : (size + GRAIN - 1) / GRAIN;
  return SMALL_CLASSES + (size - SMALL + LARGE - 1) / LARGE;
}

static size_t room_of(size_t class) {
  return class < SMALL_CLASSES ? class * GRAIN : SMALL + (class - SMALL_CLASSES) * LARGE;
}

RAW static void *take(size_t size) {
  const size_t class = class_of(size), room = room_of(class);
  if (class >= CLASSES) abort();
  struct block *b = region->free[class];
  if (b != NULL) {
    region->free[class] = b->next;
  } else {
    if (region->used + GRAIN + room > region_size) abort();
    b = (struct block *)((char *)region + region->used);
    region->used += GRAIN + room;
    b->class = class;
  }
  b->size = size;
  ASAN_UNPOISON_MEMORY_REGION((char *)b + GRAIN, size);
  return (char *)b + GRAIN;
}

static struct block *block_of(void *pointer) {
  return (struct block *)((char *)pointer - GRAIN);
}

void *malloc(size_t size) {
  return inside ? take(size) : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  size_t bytes;
  if (!inside) return __libc_calloc(count, size);
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  return memset(take(bytes), 0, bytes);
}

RAW void free(void *pointer) {
  if (pointer == NULL) return;
  if (!is_inside(pointer)) {
    __libc_free(pointer);
    return;
  }
  struct block *b = block_of(pointer);
  ASAN_POISON_MEMORY_REGION(pointer, room_of(b->class));
  if (!REUSES) return;
  b->next = region->free[b->class];
  region->free[b->class] = b;
}

RAW void *realloc(void *old, size_t size) {
  if (old == NULL) return malloc(size);
  if (!is_inside(old)) return __libc_realloc(old, size);
  struct block *b = block_of(old);
  if (REUSES && size <= room_of(b->class)) {
    b->size = size;
    return old;
  }
  void *new = take(size);
  memcpy(new, old, size < b->size ? size : b->size);
  free(old);
  return new;
}

void *memalign(size_t alignment, size_t size) {
  if (!inside || alignment > GRAIN) return __libc_memalign(alignment, size);
  return take(size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  return memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size) {
  *ret = memalign(alignment, size);
  return *ret ? 0 : ENOMEM;
}

// The sanitizer has its own, which would not ask the malloc above.
char *strndup(const char *text, size_t most) {
  const size_t length = strnlen(text, most);
  char *copy = malloc(length + 1);
  if (copy == NULL) return NULL;
  memcpy(copy, text, length);
  copy[length] = '\0';
  return copy;
}

char *strdup(const char *text) {
  return strndup(text, strlen(text));
}

// ---- snapshots -----------------------------------------------------------------------------------

struct snapshot {
  size_t length, room;
  char bytes[];  // the static variables, then the region, then what the sanitizer knows of it
};

// Of all bytes, also those that the sanitizer keeps the program from.
RAW static void copy(void *to, const void *from, size_t size) {
#if defined(__SANITIZE_ADDRESS__) && defined(__x86_64__)
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
#elif defined(__SANITIZE_ADDRESS__)
  for (size_t i = 0; i < size; i++) ((volatile char *)to)[i] = ((const volatile char *)from)[i];
#else
  memcpy(to, from, size);
#endif
}

// What the sanitizer knows of this much of the region.
static size_t shadow_of(size_t length, void **ret) {
#ifdef __SANITIZE_ADDRESS__
  size_t scale, offset;
  __asan_get_shadow_mapping(&scale, &offset);
  *ret = (void *)(((uintptr_t)region >> scale) + offset);
  return (length + ((size_t)1 << scale) - 1) >> scale;
#else
  (void)length;
  *ret = NULL;
  return 0;
#endif
}

static size_t static_size(void) {
  return (size_t)(_end - __data_start);
}

struct snapshot *snapshot_take(struct snapshot *reuse) {
  struct snapshot *s = reuse;
  if (s == NULL || s->room < region->used) {
    void *shadow;
    const size_t room = region->used + region->used / 4;
    s = __libc_realloc(reuse, sizeof(*s) + static_size() + room + shadow_of(room, &shadow));
    if (s == NULL) abort();
    s->room = room;
  }
  s->length = region->used;
  void *shadow;
  const size_t shadow_size = shadow_of(s->length, &shadow);
  copy(s->bytes, __data_start, static_size());
  copy(s->bytes + static_size(), region, s->length);
  copy(s->bytes + static_size() + s->length, shadow, shadow_size);
  return s;
}

void snapshot_restore(const struct snapshot *s) {
  void *shadow;
  const size_t shadow_size = shadow_of(s->length, &shadow);
  if (!REUSES && region->used > s->length) {
    ASAN_POISON_MEMORY_REGION((char *)region + s->length, region->used - s->length);
  }
  copy(__data_start, s->bytes, static_size());
  copy(region, s->bytes + static_size(), s->length);
  copy(shadow, s->bytes + static_size() + s->length, shadow_size);
}

void snapshot_free(struct snapshot *s) {
  __libc_free(s);
}
