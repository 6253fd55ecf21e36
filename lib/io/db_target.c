// A database URL, taken apart so that names can be looked up off the loop.
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "db_private.h"

enum { LIST_MAX = 16 * 1024, OPTIONS_MAX = 4096 };

static void add(struct db_target *t, const char *key, const char *value) {
  if (t->count == TARGET_KEYS_MAX) return;
  t->keys[t->count] = mem_strdup(key);
  t->values[t->count++] = mem_strdup(value);
}

static bool has(const struct db_target *t, const char *key) {
  for (unsigned i = 0; i < t->count; i++)
    if (strcmp(t->keys[i], key) == 0) return true;
  return false;
}

static void add_default(struct db_target *t, const char *key, const char *value) {
  if (value && !has(t, key)) add(t, key, value);
}

// "a,b,c" into items; how many.
static unsigned split(const char *list, char *ret[TARGET_HOSTS_MAX]) {
  unsigned count = 0;
  while (list && count < TARGET_HOSTS_MAX) {
    const char *comma = strchr(list, ',');
    ret[count++] = comma ? mem_strndup(list, (size_t)(comma - list)) : mem_strdup(list);
    list = comma ? comma + 1 : NULL;
  }
  return count;
}

static void take_hosts(struct db_target *t, const char *hosts, const char *addresses, const char *ports) {
  unsigned named = split(hosts, t->hosts), numbered = split(addresses, t->addresses), ported = split(ports, t->ports);
  t->host_count = named > numbered ? named : numbered;
  // One port serves all hosts; without hosts it is the local socket's.
  if (t->host_count == 0) add_default(t, "port", ports);
  for (unsigned i = ported; ported == 1 && i < t->host_count; i++) t->ports[i] = mem_strdup(t->ports[0]);
}

// What a session of ours is like. The URL's own options come last and win.
static void take_options(struct db_target *t, const struct db_options *o, const char *own) {
  struct str text = STR_INIT(OPTIONS_MAX);
  str_add_format(&text, "-c statement_timeout=%lld -c jit=off -c timezone=UTC%s%s",
                 (long long)(o->statement_timeout ? o->statement_timeout : 10000), own ? " " : "", own ? own : "");
  add(t, "options", str_text(&text));
  str_done(&text);
}

enum error_code db_target_parse(const struct db_options *o, struct db_target *ret, struct error *e) {
  // libpq's own words may repeat a part of the password.
  static const char how[] = "postgresql://user:password@host:5432/database";
  if (text_empty(o->url) || (!text_starts(o->url, "postgresql://") && !text_starts(o->url, "postgres://")))
    return error_set(e, ERR_INVALID, "no database URL: write it as %s", how);
  PQconninfoOption *all = PQconninfoParse(o->url, NULL);
  if (!all) return error_set(e, ERR_INVALID, "PostgreSQL's client does not understand the URL: write it as %s", how);

  *ret = (struct db_target){0};
  const char *hosts = NULL, *addresses = NULL, *ports = NULL, *own = NULL;
  for (PQconninfoOption *p = all; p->keyword; p++) {
    if (text_empty(p->val)) continue;
    if (strcmp(p->keyword, "host") == 0)
      hosts = p->val;
    else if (strcmp(p->keyword, "hostaddr") == 0)
      addresses = p->val;
    else if (strcmp(p->keyword, "port") == 0)
      ports = p->val;
    else if (strcmp(p->keyword, "options") == 0)
      own = p->val;
    else
      add(ret, p->keyword, p->val);
  }
  take_hosts(ret, hosts, addresses, ports);
  take_options(ret, o, own);
  PQconninfoFree(all);
  add_default(ret, "fallback_application_name", o->application_name);
  add_default(ret, "client_encoding", "UTF8");
  add_default(ret, "gssencmode", "disable");
  // A server that vanished without a word is noticed within half a minute.
  add_default(ret, "keepalives_idle", "10");
  add_default(ret, "keepalives_interval", "5");
  add_default(ret, "keepalives_count", "3");
  add_default(ret, "tcp_user_timeout", "20000");
  return ERR_NONE;
}

void db_target_done(struct db_target *t) {
  for (unsigned i = 0; i < t->count; i++) {
    free(t->keys[i]);
    free(t->values[i]);
  }
  for (unsigned i = 0; i < TARGET_HOSTS_MAX; i++) {
    free(t->hosts[i]);
    free(t->addresses[i]);
    free(t->ports[i]);
  }
  *t = (struct db_target){0};
}

bool db_target_is_name(const struct db_target *t, unsigned i) {
  unsigned char number[sizeof(struct in6_addr)];
  const char *host = t->hosts[i];
  if (!text_empty(t->addresses[i]) || text_empty(host) || host[0] == '/' || host[0] == '@') return false;
  return inet_pton(AF_INET, host, number) != 1 && inet_pton(AF_INET6, host, number) != 1;
}

void db_addresses_init(struct db_addresses *a) {
  *a = (struct db_addresses){.hosts = STR_INIT(LIST_MAX), .addresses = STR_INIT(LIST_MAX), .ports = STR_INIT(LIST_MAX)};
}

void db_addresses_done(struct db_addresses *a) {
  str_done(&a->hosts);
  str_done(&a->addresses);
  str_done(&a->ports);
}

void db_addresses_add(struct db_addresses *a, const char *host, const char *address, const char *port) {
  const char *comma = a->count++ ? "," : "";
  str_add_format(&a->hosts, "%s%s", comma, host ? host : "");
  str_add_format(&a->addresses, "%s%s", comma, address ? address : "");
  str_add_format(&a->ports, "%s%s", comma, port ? port : "");
}

PGconn *db_target_connect(const struct db_target *t, const struct db_addresses *a) {
  const char *keys[TARGET_KEYS_MAX + 4], *values[TARGET_KEYS_MAX + 4];
  unsigned count = 0;
  for (; count < t->count; count++) {
    keys[count] = t->keys[count];
    values[count] = t->values[count];
  }
  if (a->count) {
    keys[count] = "host", values[count++] = str_text(&a->hosts);
    keys[count] = "hostaddr", values[count++] = str_text(&a->addresses);
    keys[count] = "port", values[count++] = str_text(&a->ports);
  }
  keys[count] = NULL, values[count] = NULL;
  return mem_must(PQconnectStartParams(keys, values, 0));
}
