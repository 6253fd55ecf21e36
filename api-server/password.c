#include "password.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

// As OWASP has it for 32 MiB. A stored hash keeps its own numbers, so that these may grow.
enum { LOG_N = 15, BLOCK = 8, PARALLEL = 3, SALT = 16, KEY = 32 };
// What a stored hash may ask for: a row of the database must not take the memory of the machine.
enum { LOG_N_MAX = 18, BLOCK_MAX = 16, PARALLEL_MAX = 16 };
#define MEMORY_MAX (512UL * 1024 * 1024)

struct parts {
  unsigned log_n, block, parallel;
  unsigned char salt[SALT], key[KEY];
};

// ---- text --------------------------------------------------------------------------------------

// Base64 without padding. `count` bytes give (4 * count + 2) / 3 characters.
static void base64(const unsigned char *bytes, int count, char *ret, size_t size) {
  unsigned char padded[64];
  EVP_EncodeBlock(padded, bytes, count);
  const size_t length = (4 * (size_t)count + 2) / 3;
  snprintf(ret, size, "%.*s", (int)length, (const char *)padded);
}

static bool unbase64(const char *text, size_t length, unsigned char *ret, size_t count) {
  if (length != (4 * count + 2) / 3) return false;
  unsigned char padded[64], bytes[48];
  const size_t whole = (length + 3) / 4 * 4;
  memcpy(padded, text, length);
  memset(padded + length, '=', whole - length);
  if (EVP_DecodeBlock(bytes, padded, (int)whole) != (int)(whole / 4 * 3)) return false;
  memcpy(ret, bytes, count);
  return true;
}

static void print(const struct parts *p, char ret[PASSWORD_HASH_SIZE]) {
  char salt[32], key[64];
  base64(p->salt, SALT, salt, sizeof salt);
  base64(p->key, KEY, key, sizeof key);
  snprintf(ret, PASSWORD_HASH_SIZE, "$scrypt$ln=%u,r=%u,p=%u$%s$%s", p->log_n, p->block, p->parallel, salt, key);
}

static bool parse(const char *stored, struct parts *ret) {
  int at = 0;
  if (sscanf(stored, "$scrypt$ln=%2u,r=%2u,p=%2u$%n", &ret->log_n, &ret->block, &ret->parallel, &at) != 3 || at == 0)
    return false;
  const char *salt = stored + at;
  const char *dollar = strchr(salt, '$');
  return dollar != NULL && ret->log_n >= 1 && ret->log_n <= LOG_N_MAX && ret->block >= 1 && ret->block <= BLOCK_MAX &&
         ret->parallel >= 1 && ret->parallel <= PARALLEL_MAX &&
         unbase64(salt, (size_t)(dollar - salt), ret->salt, SALT) &&
         unbase64(dollar + 1, strlen(dollar + 1), ret->key, KEY);
}

// ---- computing -----------------------------------------------------------------------------------

static void derive(const char *password, const struct parts *p, unsigned char ret[KEY]) {
  if (EVP_PBE_scrypt(password, strlen(password), p->salt, SALT, 1UL << p->log_n, p->block, p->parallel, MEMORY_MAX, ret,
                     KEY) != 1) {
    log_error("scrypt failed: no memory left");
    abort();
  }
}

void password_hash(const char *password, char ret[PASSWORD_HASH_SIZE]) {
  struct parts p = {.log_n = LOG_N, .block = BLOCK, .parallel = PARALLEL};
  if (RAND_bytes(p.salt, SALT) != 1) {
    log_error("no random bytes for a salt");
    abort();
  }
  derive(password, &p, p.key);
  print(&p, ret);
}

bool password_is(const char *password, const char *stored) {
  struct parts p;
  const bool known = stored != NULL && parse(stored, &p);
  if (!known) p = (struct parts){.log_n = LOG_N, .block = BLOCK, .parallel = PARALLEL};
  unsigned char key[KEY];
  derive(password, &p, key);
  const bool same = CRYPTO_memcmp(key, p.key, KEY) == 0;
  OPENSSL_cleanse(key, KEY);
  return same && known;
}

// ---- in the pool ---------------------------------------------------------------------------------

struct job {
  char *password;
  char *stored;  // of a check
  char hash[PASSWORD_HASH_SIZE];
  bool right;
  password_hash_fn *hashed;
  password_check_fn *checked;
  void *context;
};

static void job_free(struct job *j) {
  OPENSSL_cleanse(j->password, strlen(j->password));
  free(j->password);
  free(j->stored);
  free(j);
}

static void run(void *data) {
  struct job *j = data;
  if (j->hashed != NULL)
    password_hash(j->password, j->hash);
  else
    j->right = password_is(j->password, j->stored);
}

static void done(void *data) {
  struct job *j = data;
  if (j->hashed != NULL)
    j->hashed(j->context, j->hash);
  else
    j->checked(j->context, j->right);
  job_free(j);
}

static bool start(struct work *w, const char *password, const char *stored, struct job job) {
  struct job *j = mem_alloc(sizeof *j);
  *j = job;
  j->password = mem_strdup(password);
  j->stored = mem_strdup(stored);
  if (work_start(w, run, done, j)) return true;
  job_free(j);
  return false;
}

bool password_hash_start(struct work *w, const char *password, password_hash_fn *done_fn, void *context) {
  return start(w, password, NULL, (struct job){.hashed = done_fn, .context = context});
}

bool password_check_start(struct work *w, const char *password, const char *stored, password_check_fn *done_fn,
                          void *context) {
  return start(w, password, stored, (struct job){.checked = done_fn, .context = context});
}
