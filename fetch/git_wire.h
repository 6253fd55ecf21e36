// Git's protocol over HTTP, version 0, as far as one clone needs it. Pure: bytes in, callbacks out; no socket, no file.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#include "fault.h"

enum {
  GIT_HEX = 40,  // digits of an object's name
  GIT_PACKET_MAX = 65520,
  GIT_REF_MAX = 255,
  GIT_TIPS_MAX = 4096,  // branches and tags wanted when a commit has to be looked for in all of them
};

// A stream of packets ("pkt-lines").
struct git_packets {
  // Gets each packet; `length` is meaningless for a flush.
  bool (*packet)(void *context, bool flush, char *bytes, size_t length, struct fault *f);
  void *context;
  size_t have;
  char bytes[GIT_PACKET_MAX + 1];
};

bool git_packets_feed(struct git_packets *p, const char *bytes, size_t length, struct fault *f);
bool git_packets_whole(const struct git_packets *p);  // no packet has begun and not ended

// What the server offers, reduced while it is read to what the reference may mean.
struct git_offer {
  const char *ref;
  int stage;                 // 0: nothing yet, 1: behind the service line, 2: in the list, 3: ended
  char commit[GIT_HEX + 1];  // the reference is this commit's full name
  char full[GIT_HEX + 1], branch[GIT_HEX + 1], tag[GIT_HEX + 1];  // what it names as a full name, branch, tag
  bool commit_is_tip;
  bool side_band, shallow, any_commit;
  char (*tips)[GIT_HEX + 1];
  size_t tip_count;
};

// Whether the text can be the name of a branch, tag or commit at all.
bool git_ref_check(const char *ref, struct fault *f);
void git_offer_init(struct git_offer *o, const char *ref);
void git_offer_done(struct git_offer *o);
// The packet function for the answer to /info/refs; its context is the offer.
bool git_offer_packet(void *offer, bool flush, char *bytes, size_t length, struct fault *f);

// What to ask for.
struct git_want {
  char target[GIT_HEX + 1];  // the object that the reference names
  bool deep;                 // all history of all tips: the server gives no commit by name
};
bool git_offer_decide(const struct git_offer *o, struct git_want *ret, struct fault *f);
// The body of the request to /git-upload-pack.
void git_want_body(const struct git_offer *o, const struct git_want *w, struct str *ret);

// The answer to it.
struct git_answer {
  bool (*pack)(void *context, const char *bytes, size_t length, struct fault *f);
  void *context;
  int stage;  // 0: shallow lines, 1: acknowledgement, 2: the pack, 3: ended
};
bool git_answer_packet(void *answer, bool flush, char *bytes, size_t length, struct fault *f);
