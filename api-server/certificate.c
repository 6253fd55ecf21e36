#include "certificate.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/ssl.h>

#include "base/log.h"
#include "base/memory.h"
#include "io/timer.h"

#include "settings.h"

enum { LOOK_MS = 60 * 1000 };

struct certificate {
  SSL_CTX *tls;
  const struct settings *settings;
  struct timer *timer;
  struct timespec changed;
};

static bool has_changed(struct certificate *c) {
  struct stat found;
  if (stat(c->settings->tls_cert_file, &found) != 0) return false;
  bool changed = found.st_mtim.tv_sec != c->changed.tv_sec || found.st_mtim.tv_nsec != c->changed.tv_nsec;
  c->changed = found.st_mtim;
  return changed;
}

static void look(void *context) {
  struct certificate *c = context;
  timer_set(c->timer, LOOK_MS);
  if (!has_changed(c)) return;
  if (SSL_CTX_use_certificate_chain_file(c->tls, c->settings->tls_cert_file) == 1 &&
      SSL_CTX_use_PrivateKey_file(c->tls, c->settings->tls_key_file, SSL_FILETYPE_PEM) == 1)
    log_info("the certificate was renewed");
  else
    log_error("the renewed certificate does not fit its key or cannot be read", "file", c->settings->tls_cert_file);
}

struct certificate *certificate_watch(uv_loop_t *loop, void *ssl_ctx, const struct settings *s) {
  struct certificate *c = mem_alloc(sizeof(*c));
  c->tls = ssl_ctx;
  c->settings = s;
  c->timer = timer_new(loop, look, c);
  has_changed(c);
  timer_set(c->timer, LOOK_MS);
  return c;
}

void certificate_free(struct certificate *c) {
  if (!c) return;
  timer_free(c->timer);
  free(c);
}
