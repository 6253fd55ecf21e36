// Allocation that never fails: out of memory ends the program with one line.
#pragma once

#include <stddef.h>
#include <stdlib.h>

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));  // zeroed
void *mem_grow(void *old, size_t count, size_t size);                   // realloc, overflow checked
char *mem_strdup(const char *text);                                     // NULL stays NULL
char *mem_strndup(const char *text, size_t length);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mem_free_pointer(void *pointer_to_pointer);  // for the cleanup attribute

#define cleanup_free __attribute__((cleanup(mem_free_pointer)))
#define array_size(a) (sizeof(a) / sizeof((a)[0]))

// For what a foreign library allocated: ends the program when it is NULL, otherwise returns it.
void *mem_must(void *pointer) __attribute__((returns_nonnull));

// Gives back to the system what lies idle between that which lives: worth while after much was freed.
void mem_trim(void);

// Replaces *field by a copy of `text` (which may be NULL) and frees what was there.
void mem_replace(char **field, const char *text);
