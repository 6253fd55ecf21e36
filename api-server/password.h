// Passwords: scrypt, salted, as text "$scrypt$ln=15,r=8,p=3$<salt>$<key>" (PHC string format).
//
// A hash takes 32 MiB and a good part of a second of computing, on purpose; so it is done in the pool, a few at a time,
// and nothing of it depends on whether there is such a user or how the password is wrong.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "io/work.h"

enum { PASSWORD_HASH_SIZE = 160, PASSWORD_MAX = 256 /* characters' bytes: longer ones are refused before */ };

// Pure but for the salt's randomness; slow.
void password_hash(const char *password, char ret[PASSWORD_HASH_SIZE]);
// `stored` NULL or malformed: false, after as much computing.
bool password_is(const char *password, const char *stored);

// The same in the pool. false: the line is full, no callback comes. The password is copied, and wiped afterwards.
typedef void password_hash_fn(void *context, const char *hash);
bool password_hash_start(struct work *w, const char *password, password_hash_fn *done, void *context);
typedef void password_check_fn(void *context, bool right);
bool password_check_start(struct work *w, const char *password, const char *stored, password_check_fn *done,
                          void *context);
