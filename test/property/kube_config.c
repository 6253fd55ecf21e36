// Damaged kubeconfigs: any bytes give a configuration or a sentence, and nothing else happens.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"
#include "kube/config.h"

#include "random.h"

static uint64_t seed;

static const char good[] =
    "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
    "contexts:\n- name: c\n  context: {cluster: k, user: u, namespace: n}\n"
    "clusters:\n- name: k\n  cluster:\n    server: https://h:6443/\n    certificate-authority-data: aGVsbG8=\n"
    "users:\n- name: u\n  user:\n    client-certificate-data: Y2VydA==\n    client-key-data: a2V5IQ==\n    token: t\n";

static void damage(struct random *r, struct str *s) {
  size_t at = random_below(r, (unsigned)s->length);
  switch (random_below(r, 4)) {
    case 0: s->data[at] = (char)random_below(r, 256); break;
    case 1: s->data[at] = "{}[]:-&*!|>'\"%#\n\t "[random_below(r, 19)]; break;
    case 2: s->length = at + 1; break;
    default: {  // a piece moves to another place
      size_t from = random_below(r, (unsigned)s->length), room = s->length - (at > from ? at : from);
      memmove(s->data + at, s->data + from, random_below(r, (unsigned)room + 1));
    }
  }
}

static void test_damage(void **state) {
  (void)state;
  unsigned fine = 0;
  for (unsigned run = 0; run < 5000; run++) {
    struct random r = {seed + run};
    cleanup_str struct str s = STR_INIT(10000);
    str_add(&s, good);
    for (unsigned n = random_below(&r, 4); n > 0; n--) damage(&r, &s);
    struct error e = {0};
    struct kube_config *c = kube_config_parse(s.data, s.length, "/dir", &e);
    assert_true((c == NULL) == (e.code != ERR_NONE));
    assert_true((c == NULL) == (e.text[0] != 0));
    if (c != NULL) {
      fine++;
      assert_true(text_starts(kube_config_server(c), "http"));
      assert_false(text_empty(kube_config_namespace(c)));
    }
    kube_config_free(c);
  }
  assert_true(fine > 500);  // the undamaged ones at least
}

int main(void) {
  seed = random_seed();
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_damage)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
