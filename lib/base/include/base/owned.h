// What a struct owns, said once: its texts, its arrays, and what it shares with others. One function for each
// struct names them, and by that one list the struct is copied, freed, and packed into a single block.
//
//   static void thing_owned(struct owned *o, void *thing) {
//     struct thing *t = thing;
//     owned_text(o, &t->name);
//     owned_array(o, &t->items, t->count * sizeof(*t->items));
//     for (unsigned i = 0; i < t->count; i++) owned_text(o, &t->items[i].text);
//     owned_array_end(o, &t->items);
//   }
#pragma once

#include <stddef.h>

struct owned;
typedef void owned_fn(struct owned *o, void *object);
typedef const void *owned_again_fn(const void *shared);  // the same, for one owner more; of NULL too
typedef void owned_done_fn(const void *shared);          // one owner less

// Any may be NULL. The array's items are named between its two calls; `array` points to the pointer to them, which
// may be another one after the first call.
void owned_text(struct owned *o, char **text);
void owned_array(struct owned *o, void *array, size_t bytes);
void owned_array_end(struct owned *o, void *array);
void owned_shared(struct owned *o, void *pointer, owned_again_fn *again, owned_done_fn *done);

// `object` is a copy of another one, bit by bit: from here on it owns its own.
void owned_copy(owned_fn *fn, void *object);
// Frees what it owns, and leaves NULL in its place; the struct itself stays.
void owned_free(owned_fn *fn, void *object);
// One block for the caller to free, to be read only: `before` bytes of 0, the struct, and all that it owned, no text
// twice; what many have in common is there once for all of them. Takes what the struct at `take_object` owned, not its
// memory.
void *owned_pack(owned_fn *fn, size_t before, void *take_object, size_t size);
// Before a packed one's block is freed: lets go of what it shares.
void owned_let_go(owned_fn *fn, void *packed);
