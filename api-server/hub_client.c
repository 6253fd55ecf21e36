// What a client asks for: to be somebody, to hear of something.
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "hub_parts.h"

enum { SUBSCRIBING_MAX = 8, MESSAGES_MAX = 200, MESSAGES_MS = 10 * 1000, ARRAY_ROOM = 16 * 1024 };

// ---- auth ----------------------------------------------------------------------------------------

static void on_checked(void *context, const char *user_id, const char *username, const struct error *e) {
  struct hub_connection *c = context;
  c->checking = NULL;
  if (c->close_code != 0) return;
  if (e != NULL && e->code != ERR_FORBIDDEN) {
    hub_complain(c, "unavailable", "the token could not be checked: send it again", NULL);
  } else if (e != NULL) {
    hub_close(c, CLOSE_UNAUTHENTICATED, "the token is no good: sign in again");
  } else if (!hub_admit(c, user_id, username)) {
    metric_add(c->hub->dropped, "full", 1);
    hub_close(c, CLOSE_FULL, "there are too many connections of this user");
  } else {
    hub_greet(c, "authenticated", c->auth_since);
    if (c->auth_since >= 0) hub_replay_all(c, c->auth_since);
  }
}

static void authenticate(struct hub_connection *c, const struct message *m) {
  if (c->user_id != NULL || c->checking != NULL) {
    hub_complain(c, "conflict", "this connection is somebody's already: open another one", NULL);
    return;
  }
  if (m->since >= 0) c->auth_since = m->since;
  struct auth_check *check = auth_check(c->hub->app->auth, m->token, on_checked, c);
  if (check != NULL) c->checking = check;
}

// ---- subscribe -----------------------------------------------------------------------------------

struct subscribing {
  struct hub_connection *connection;
  struct subscribing *next;
  struct db_call *call;
  struct message message;  // owned
};

// A topic by its environment's id whatever the client calls it; NULL: there is no such thing for this user.
static const struct db_statement resolve = {
    "hub_topics",
    "SELECT CASE t.kind"
    " WHEN 'match' THEN (SELECT 'match:' || m.id FROM matches m WHERE m.id = t.id)"
    " WHEN 'build' THEN (SELECT 'build:' || s.id FROM submissions s JOIN agents a ON a.id = s.agent_id"
    "                    WHERE s.id = t.id AND a.owner = $4)"
    " ELSE t.kind || ':' || (SELECT e.id FROM environments e WHERE e.id = t.id OR (t.id IS NULL AND e.name = t.name)"
    "                        ORDER BY e.vanished_at DESC NULLS FIRST LIMIT 1) END"
    " FROM unnest($1::text[], $2::uuid[], $3::text[]) WITH ORDINALITY AS t (kind, id, name, place) ORDER BY t.place"};

static void subscribing_free(struct subscribing *s) {
  struct hub_connection *c = s->connection;
  for (struct subscribing **at = &c->subscribing; *at != NULL; at = &(*at)->next) {
    if (*at != s) continue;
    *at = s->next;
    break;
  }
  c->subscribing_count--;
  message_done(&s->message);
  free(s);
}

// Appends to an array literal. The texts have no quotes and no backslashes: topic_parse lets none through.
static void add_to_array(struct str *array, const char *text) {
  str_add(array, array->length == 0 ? "{" : ",");
  if (text == NULL) {
    str_add(array, "NULL");
    return;
  }
  str_add(array, "\"");
  str_add(array, text);
  str_add(array, "\"");
}

static bool join(struct hub_connection *c, const struct wanted_topic *wanted, const char *topic) {
  if (topic == NULL) {
    hub_complain(c, "not_found",
                 wanted->kind == TOPIC_BUILD ? "there is no such submission of yours" : "there is no such thing",
                 wanted->text);
    return false;
  }
  if (c->topic_count >= HUB_TOPICS) {
    hub_complain(c, "too_many", "a connection has at most 100 topics", wanted->text);
    return false;
  }
  if (topics_join(c->hub->topics, &c->memberships, c, topic, wanted->text)) c->topic_count++;
  return true;
}

static void on_resolved(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct subscribing *s = context;
  struct hub_connection *c = s->connection;
  const struct message *m = &s->message;
  if (e != NULL) {
    hub_complain(c, "unavailable", "the topics could not be looked up: subscribe again", NULL);
    subscribing_free(s);
    return;
  }
  struct str names = STR_INIT(ARRAY_ROOM);
  json *o = json_new_object(), *list = json_add_array(o, "topics");
  for (unsigned i = 0; i < m->topic_count && i < db_rows_count(rows); i++) {
    const char *topic = db_rows_text(rows, i, 0);
    if (!join(c, &m->topics[i], topic)) continue;
    add_to_array(&names, topic);
    json_push_text(list, m->topics[i].text);
  }
  const bool any = json_length(list) > 0;
  if (any)
    hub_answer(c, "subscribed", o, -1);
  else
    json_put(&o);
  if (any && m->since >= 0 && c->close_code == 0) {
    str_add(&names, "}");
    hub_replay_topics(c, str_take(&names), m->since);
  }
  str_done(&names);
  subscribing_free(s);
}

static void subscribe(struct hub_connection *c, struct message *take_message) {
  if (c->subscribing_count >= SUBSCRIBING_MAX) {
    hub_complain(c, "busy", "wait for the answers to what was asked before", NULL);
    message_done(take_message);
    return;
  }
  struct subscribing *s = mem_alloc(sizeof *s);
  s->connection = c;
  s->message = *take_message;
  s->next = c->subscribing;
  c->subscribing = s;
  c->subscribing_count++;
  // After ?since=, what was missed of a topic is wanted as well.
  if (s->message.since < 0) s->message.since = c->auth_since;

  struct str kinds = STR_INIT(ARRAY_ROOM), ids = STR_INIT(ARRAY_ROOM), names = STR_INIT(ARRAY_ROOM);
  for (unsigned i = 0; i < s->message.topic_count; i++) {
    struct wanted_topic *t = &s->message.topics[i];
    t->reference = t->text + strcspn(t->text, ":") + 1;
    add_to_array(&kinds, topic_kind_text(t->kind));
    add_to_array(&ids, t->by_id ? t->reference : NULL);
    add_to_array(&names, t->by_id ? NULL : t->reference);
  }
  str_add(&kinds, "}");
  str_add(&ids, "}");
  str_add(&names, "}");
  const struct db_value values[] = {DB_TEXT(str_text(&kinds)), DB_TEXT(str_text(&ids)), DB_TEXT(str_text(&names)),
                                    DB_TEXT(c->username)};
  s->call = db_query(c->hub->app->db, &resolve, values, array_size(values), on_resolved, s);
  str_done(&kinds);
  str_done(&ids);
  str_done(&names);
}

static void unsubscribe(struct hub_connection *c, const struct message *m) {
  json *o = json_new_object(), *list = json_add_array(o, "topics");
  for (unsigned i = 0; i < m->topic_count; i++) {
    if (!topics_leave(c->hub->topics, &c->memberships, m->topics[i].text)) continue;
    c->topic_count--;
    json_push_text(list, m->topics[i].text);
  }
  hub_answer(c, "unsubscribed", o, -1);
}

// ---- messages ------------------------------------------------------------------------------------

// A client that only talks costs a little for each message; one that talks without end is sent away.
static bool is_talkative(struct hub_connection *c) {
  const msec now = clock_monotonic();
  if (now - c->messages_since > MESSAGES_MS) {
    c->messages_since = now;
    c->messages = 0;
  }
  return ++c->messages > MESSAGES_MAX;
}

static void obey(struct hub_connection *c, struct message *take_message) {
  struct message *m = take_message;
  if (m->type == MESSAGE_PING) {
    hub_answer(c, "pong", json_new_object(), -1);
  } else if (m->type == MESSAGE_AUTH) {
    authenticate(c, m);
  } else if (c->user_id == NULL) {
    hub_complain(c, "unauthorized", "say who you are first: {\"type\":\"auth\",\"token\":\"...\"}", NULL);
  } else if (m->type == MESSAGE_SUBSCRIBE) {
    subscribe(c, m);
    return;
  } else {
    unsubscribe(c, m);
  }
  message_done(m);
}

void hub_message(struct hub_connection *c, const char *text, size_t length) {
  struct message m;
  struct error e = {0};
  if (c->close_code != 0) return;
  if (is_talkative(c)) {
    metric_add(c->hub->dropped, "talkative", 1);
    hub_close(c, CLOSE_TALKATIVE, "too many messages");
  } else if (message_parse(text, length, &m, &e) != ERR_NONE) {
    hub_complain(c, "invalid", e.text, NULL);
  } else {
    obey(c, &m);
  }
}

void hub_client_done(struct hub_connection *c) {
  auth_check_cancel(c->checking);
  c->checking = NULL;
  while (c->subscribing != NULL) {
    db_cancel(c->subscribing->call);
    subscribing_free(c->subscribing);
  }
}
