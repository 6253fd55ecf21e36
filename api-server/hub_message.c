#include "hub_message.h"

#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/str.h"

enum { TOKEN_MAX = 4096, NAME_BYTES_MAX = 52, SHOWN_MAX = 60 };

static const char *const kinds[TOPIC_KINDS] = {
    [TOPIC_MATCH] = "match",
    [TOPIC_LEADERBOARD] = "leaderboard",
    [TOPIC_QUEUE] = "queue",
    [TOPIC_BUILD] = "build",
};

const char *topic_kind_text(enum topic_kind k) {
  return kinds[k];
}

// ---- topics --------------------------------------------------------------------------------------

static bool is_uuid(const char *text) {
  if (strlen(text) != UUID_SIZE - 1) return false;
  for (unsigned i = 0; i < UUID_SIZE - 1; i++) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i])) return false;
  }
  return true;
}

static bool is_name(const char *text) {
  const size_t length = strlen(text);
  if (length == 0 || length > NAME_BYTES_MAX) return false;
  for (size_t i = 0; i < length; i++)
    if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) && text[i] != '-') return false;
  return true;
}

bool topic_parse(const char *text, struct wanted_topic *ret) {
  const size_t length = strlen(text);
  const char *colon = strchr(text, ':');
  if (colon == NULL || length >= sizeof ret->text) return false;
  *ret = (struct wanted_topic){.kind = TOPIC_KINDS};
  for (size_t i = 0; i < length; i++) ret->text[i] = (char)tolower((unsigned char)text[i]);
  const size_t kind_length = (size_t)(colon - text);
  for (unsigned k = 0; k < TOPIC_KINDS; k++)
    if (strlen(kinds[k]) == kind_length && memcmp(kinds[k], ret->text, kind_length) == 0)
      ret->kind = (enum topic_kind)k;
  if (ret->kind == TOPIC_KINDS) return false;
  ret->reference = ret->text + kind_length + 1;
  ret->by_id = is_uuid(ret->reference);
  const bool may_be_name = ret->kind == TOPIC_LEADERBOARD || ret->kind == TOPIC_QUEUE;
  return ret->by_id || (may_be_name && is_name(ret->reference));
}

static enum error_code bad_topic(struct error *e, const char *text) {
  struct str shown = STR_INIT(SHOWN_MAX * 4);
  const size_t length = strlen(text);
  str_add_utf8(&shown, text, length <= SHOWN_MAX ? length : text_utf8_prefix(text, SHOWN_MAX));
  error_set(e, ERR_INVALID,
            "\"%s\" is no topic: there are match:<id>, leaderboard:<environment>, queue:<environment> and "
            "build:<submission id>",
            str_text(&shown));
  str_done(&shown);
  return e != NULL ? e->code : ERR_INVALID;
}

static enum error_code parse_topics(json *fields, struct message *ret, struct error *e) {
  json *list = json_get(fields, "topics");
  const char *single = json_text(fields, "topic");
  const size_t count = single != NULL ? 1 : json_length(list);
  if (count == 0) return error_set(e, ERR_INVALID, "\"topics\" must be a list of one or more topics");
  if (count > MESSAGE_TOPICS_MAX)
    return error_set(e, ERR_INVALID, "\"topics\" has more than %d topics", MESSAGE_TOPICS_MAX);
  ret->topics = mem_alloc(count * sizeof *ret->topics);
  for (size_t i = 0; i < count; i++) {
    json *item = single != NULL ? json_get(fields, "topic") : json_item(list, i);
    if (!json_object_is_type(item, json_type_string))
      return error_set(e, ERR_INVALID, "\"topics\" must be a list of texts");
    if (!topic_parse(json_object_get_string(item), &ret->topics[i])) return bad_topic(e, json_object_get_string(item));
    ret->topic_count++;
  }
  return ERR_NONE;
}

// ---- messages ------------------------------------------------------------------------------------

static enum error_code parse_since(json *fields, struct message *ret, struct error *e) {
  json *since = json_get(fields, "since");
  ret->since = -1;
  if (since == NULL) return ERR_NONE;
  ret->since = json_int(fields, "since", -1);
  if (!json_object_is_type(since, json_type_int) || ret->since < 0)
    return error_set(e, ERR_INVALID, "\"since\" must be the id of an event");
  return ERR_NONE;
}

static enum error_code parse_fields(json *fields, struct message *ret, struct error *e) {
  if (ret->type == MESSAGE_PING) return ERR_NONE;
  if (ret->type == MESSAGE_AUTH) {
    const char *token = json_text(fields, "token");
    if (text_empty(token) || strlen(token) > TOKEN_MAX)
      return error_set(e, ERR_INVALID, "\"token\" must be the token that login gave");
    ret->token = mem_strdup(token);
    return parse_since(fields, ret, e);
  }
  if (parse_topics(fields, ret, e) != ERR_NONE) return ERR_INVALID;
  return ret->type == MESSAGE_SUBSCRIBE ? parse_since(fields, ret, e) : ERR_NONE;
}

static bool parse_type(const char *text, enum message_type *ret) {
  static const char *const names[] = {"auth", "subscribe", "unsubscribe", "ping"};
  for (unsigned i = 0; i < array_size(names); i++) {
    if (!text_equal(names[i], text)) continue;
    *ret = (enum message_type)i;
    return true;
  }
  return false;
}

enum error_code message_parse(const char *text, size_t length, struct message *ret, struct error *e) {
  *ret = (struct message){.since = -1};
  if (length > MESSAGE_BYTES_MAX) return error_set(e, ERR_INVALID, "a message has at most %d bytes", MESSAGE_BYTES_MAX);
  struct error why = {0};
  cleanup_json json *o = json_parse(text, length, &why);
  if (o == NULL || !json_object_is_type(o, json_type_object))
    return error_set(e, ERR_INVALID, "a message must be a JSON object with a \"type\"");
  if (!parse_type(json_text(o, "type"), &ret->type))
    return error_set(e, ERR_INVALID, "\"type\" must be auth, subscribe, unsubscribe or ping");
  json *payload = json_get(o, "payload");
  json *fields = json_object_is_type(payload, json_type_object) ? payload : o;
  if (parse_fields(fields, ret, e) == ERR_NONE) return ERR_NONE;
  message_done(ret);
  return ERR_INVALID;
}

void message_done(struct message *m) {
  free(m->token);
  free(m->topics);
  *m = (struct message){.since = -1};
}
