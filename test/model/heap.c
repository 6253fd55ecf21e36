#include "heap.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_MALLOC 0
#endif
#endif
#if !defined(OWN_MALLOC) && defined(__GLIBC__)
#define OWN_MALLOC 1
#elif !defined(OWN_MALLOC)
#define OWN_MALLOC 0
#endif

bool heap_can_snapshot(void) {
  return OWN_MALLOC;
}

#if !OWN_MALLOC

void heap_init(void) {}
void heap_enter(void) {}
void heap_leave(void) {}
size_t heap_used(void) {
  return 0;
}
struct snapshot *snapshot_take(struct snapshot *reuse) {
  return reuse;
}
void snapshot_restore(const struct snapshot *s) {
  (void)s;
}
void snapshot_free(struct snapshot *s) {
  (void)s;
}

#else

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
  struct block *next;  // of a free one
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

static void *take(size_t size) {
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

void free(void *pointer) {
  if (pointer == NULL) return;
  if (!is_inside(pointer)) {
    __libc_free(pointer);
    return;
  }
  struct block *b = block_of(pointer);
  b->next = region->free[b->class];
  region->free[b->class] = b;
}

void *realloc(void *old, size_t size) {
  if (old == NULL) return malloc(size);
  if (!is_inside(old)) return __libc_realloc(old, size);
  if (size <= room_of(block_of(old)->class)) return old;
  void *new = take(size);
  memcpy(new, old, room_of(block_of(old)->class));
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

// ---- snapshots -----------------------------------------------------------------------------------

struct snapshot {
  size_t length, room;
  char bytes[];  // the static variables, then the region
};

static size_t static_size(void) {
  return (size_t)(_end - __data_start);
}

struct snapshot *snapshot_take(struct snapshot *reuse) {
  struct snapshot *s = reuse;
  if (s == NULL || s->room < region->used) {
    const size_t room = region->used + region->used / 4;
    s = __libc_realloc(reuse, sizeof(*s) + static_size() + room);
    if (s == NULL) abort();
    s->room = room;
  }
  s->length = region->used;
  memcpy(s->bytes, __data_start, static_size());
  memcpy(s->bytes + static_size(), region, s->length);
  return s;
}

void snapshot_restore(const struct snapshot *s) {
  memcpy(__data_start, s->bytes, static_size());
  memcpy(region, s->bytes + static_size(), s->length);
}

void snapshot_free(struct snapshot *s) {
  __libc_free(s);
}

#endif
