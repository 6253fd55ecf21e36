// What a WebSocket client says, as plain data. Pure; everything is bounded and checked here.
//
// {"type":"auth","token"[,"since"]}, {"type":"subscribe","topics":[...][,"since"]},
// {"type":"unsubscribe","topics":[...]},
// {"type":"ping"}. The fields may stand in a "payload" object instead: that is how existing clients send.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { MESSAGE_BYTES_MAX = 16 * 1024, MESSAGE_TOPICS_MAX = 100, TOPIC_SIZE = 96, UUID_SIZE = 37 };

enum message_type { MESSAGE_AUTH, MESSAGE_SUBSCRIBE, MESSAGE_UNSUBSCRIBE, MESSAGE_PING };
enum topic_kind { TOPIC_MATCH, TOPIC_LEADERBOARD, TOPIC_QUEUE, TOPIC_BUILD, TOPIC_KINDS };
const char *topic_kind_text(enum topic_kind k);  // "match"...

struct wanted_topic {
  enum topic_kind kind;
  char text[TOPIC_SIZE];  // whole, as the client says it, in lower case
  const char *reference;  // what comes after the colon, within text
  bool by_id;             // it is a UUID; otherwise the name of an environment
};

struct message {
  enum message_type type;
  char *token;    // of auth
  int64_t since;  // -1: not said
  struct wanted_topic *topics;
  unsigned topic_count;
};

// ERR_INVALID with a sentence for the client's author. message_done is for what was parsed well.
enum error_code message_parse(const char *text, size_t length, struct message *ret, struct error *e);
void message_done(struct message *m);

// "match:<uuid>", "build:<uuid>", "leaderboard:<uuid or name>", "queue:<uuid or name>".
bool topic_parse(const char *text, struct wanted_topic *ret);
