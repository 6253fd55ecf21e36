// gzip unpacked piece by piece: what is fed is kept until it was taken, never more than one piece.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct gunzip;

struct gunzip *gunzip_new(void);
void gunzip_free(struct gunzip *g);                                    // NULL is fine
void gunzip_feed(struct gunzip *g, const void *bytes, size_t length);  // copies; only when gunzip_next gave 0
size_t gunzip_next(struct gunzip *g, void *ret, size_t size);          // 0: feed more, or it is over
bool gunzip_failed(const struct gunzip *g);                            // it is no gzip
