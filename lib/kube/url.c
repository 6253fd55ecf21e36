#include "url.h"

#include <ctype.h>
#include <string.h>

#include "base/memory.h"

static void add_escaped(struct str *s, const char *text) {
  for (; *text != 0; text++) {
    unsigned char c = (unsigned char)*text;
    if (c < 0x80 && (isalnum(c) || strchr("-._~", c) != NULL))
      str_add_bytes(s, text, 1);
    else
      str_add_format(s, "%%%02X", c);
  }
}

// An empty name would turn a DELETE of one object into one of all, and dots would climb. Both
// become names that no object can have, so that the API server's answer is "not found".
static void add_segment(struct str *s, const char *text) {
  str_add(s, "/");
  if (text[strspn(text, ".")] != 0) {
    add_escaped(s, text);
    return;
  }
  str_add(s, "%25");
  for (; *text != 0; text++) str_add(s, "%252E");
}

void url_build(struct str *url, const char *server, const struct kube_request *r) {
  str_add(url, server);
  str_add(url, text_empty(r->kind->group) ? "/api" : "/apis");
  if (!text_empty(r->kind->group)) add_segment(url, r->kind->group);
  add_segment(url, r->kind->version);
  if (r->namespace != NULL) {
    str_add(url, "/namespaces");
    add_segment(url, r->namespace);
  }
  add_segment(url, r->kind->plural);
  if (r->name != NULL) add_segment(url, r->name);
  if (r->subresource != NULL) add_segment(url, r->subresource);
  if (!text_empty(r->query)) {
    str_add(url, "?");
    str_add(url, r->query);
  }
}

char *url_host(const char *server) {
  const char *start = strstr(server, "://");
  start = start != NULL ? start + 3 : server;
  return mem_strndup(start, strcspn(start, "/"));
}

void kube_query_add(struct str *query, const char *key, const char *value) {
  if (query->length > 0) str_add(query, "&");
  add_escaped(query, key);
  str_add(query, "=");
  add_escaped(query, value);
}

// Who set which field is often half of an object, and never asked for here; an empty list of it means "as it was" to
// the API server when an object is written back.
const char *const *kube_kind_skipped(const struct kube_kind *k) {
  static const char *const always[] = {"managedFields", NULL}, *const without_spec[] = {"managedFields", "spec", NULL};
  return k->spec_unread ? without_spec : always;
}

const char *kube_kind_api_version(const struct kube_kind *k, char *ret, size_t size) {
  struct str s = STR_INIT(size - 1);
  if (!text_empty(k->group)) {
    str_add(&s, k->group);
    str_add(&s, "/");
  }
  str_add(&s, k->version);
  memcpy(ret, str_text(&s), s.length + 1);
  str_done(&s);
  return ret;
}
