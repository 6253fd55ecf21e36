// Any bytes as a WebSocket client's message: taken whole and bounded, or refused with a sentence.
#include <stdlib.h>
#include <string.h>

#include "hub_message.h"
#include "target.h"

static void check_topic(const struct wanted_topic *t) {
  struct wanted_topic again;
  const char *kind = topic_kind_text(t->kind);
  if (strncmp(t->text, kind, strlen(kind)) != 0 || t->text[strlen(kind)] != ':') abort();
  // It goes into an array of SQL's between quotes.
  if (strpbrk(t->text, "\"\\{},\n'") != NULL) abort();
  if (!topic_parse(t->text, &again) || again.kind != t->kind || again.by_id != t->by_id) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct message m;
  struct error e = {0};
  if (message_parse((const char *)data, size, &m, &e) != ERR_NONE) {
    if (e.code != ERR_INVALID || e.text[0] == '\0' || m.token != NULL || m.topics != NULL) abort();
    return 0;
  }
  const bool lists = m.type == MESSAGE_SUBSCRIBE || m.type == MESSAGE_UNSUBSCRIBE;
  if ((m.token != NULL) != (m.type == MESSAGE_AUTH) || (m.topic_count > 0) != lists) abort();
  if (m.since < -1 || m.topic_count > MESSAGE_TOPICS_MAX) abort();
  for (unsigned i = 0; i < m.topic_count; i++) check_topic(&m.topics[i]);
  message_done(&m);
  return 0;
}
