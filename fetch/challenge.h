// What a registry asks for (WWW-Authenticate): a password, or a token that a password is traded for.
#pragma once

#include <stdbool.h>

enum challenge_kind { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
  enum challenge_kind kind;
  char *realm, *service;  // of CHALLENGE_BEARER; heap
};

bool challenge_parse(const char *header, struct challenge *ret);  // replaces what was there
void challenge_done(struct challenge *c);
// The address that gives a token to push to and pull from the repository; heap.
char *challenge_url(const struct challenge *c, const char *repository);
