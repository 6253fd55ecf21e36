#include "arena/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#include "base/memory.h"

enum {
  MARK_LENGTH = 8,    // base32 digits (40 bits) that keep names apart which had to be cut
  MATCH_LENGTH = 16,  // base32 digits (80 bits): among 10^9 matches, two share them with odds of 1 to 2 million
  TAG_UID_LENGTH = 8,
  REPOSITORY_MAX = 255,
};

// Lower-case base32 of the start of the text's SHA-256: letters and digits that any name may have.
static void hash_text(const char *text, char *ret, size_t digits) {
  static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  unsigned char hash[SHA256_DIGEST_LENGTH];
  SHA256((const unsigned char *)text, strlen(text), hash);
  for (size_t i = 0; i < digits; i++) {
    size_t bit = 5 * i;
    unsigned pair = (unsigned)hash[bit / 8] << 8 | hash[bit / 8 + 1];
    ret[i] = alphabet[pair >> (11 - bit % 8) & 31];
  }
  ret[digits] = '\0';
}

// The longest start of `text` of at most `max` bytes that may stand before a '-'.
static size_t stem_length(const char *text, size_t max) {
  size_t length = strnlen(text, max);
  while (length > 0 && text[length - 1] == '-') length--;
  return length;
}

// base + suffix; where that is too long the base is cut, and a hash of it keeps the name unique.
static void compose(char ret[NAME_SIZE], const char *base, const char *suffix) {
  size_t room = NAME_MAX_LENGTH - strlen(suffix);
  if (strlen(base) <= room) {
    snprintf(ret, NAME_SIZE, "%s%s", base, suffix);
    return;
  }
  char mark[MARK_LENGTH + 1];
  hash_text(base, mark, MARK_LENGTH);
  size_t stem = stem_length(base, room - 1 - MARK_LENGTH);
  snprintf(ret, NAME_SIZE, "%.*s-%s%s", (int)stem, base, mark, suffix);
}

void name_build_job(char ret[NAME_SIZE], const char *submission, int attempt) {
  char suffix[24];
  snprintf(suffix, sizeof(suffix), "-build-%d", attempt);
  compose(ret, submission, suffix);
}

void name_scan_job(char ret[NAME_SIZE], const char *submission, int attempt) {
  char suffix[24];
  snprintf(suffix, sizeof(suffix), "-scan-%d", attempt);
  compose(ret, submission, suffix);
}

void name_source(char ret[NAME_SIZE], const char *submission) {
  compose(ret, submission, "-source");
}

void name_agent_pod(char ret[NAME_SIZE], const char *match, unsigned seat) {
  char suffix[24];
  snprintf(suffix, sizeof(suffix), "-agent-%u", seat);
  compose(ret, match, suffix);
}

void name_match(char ret[NAME_SIZE], const char *environment, const char *uid_a, int64_t number_a, const char *uid_b,
                int64_t number_b) {
  bool swap = strcmp(uid_a, uid_b) > 0;
  char *identity cleanup_free =
      mem_printf("%s %" PRId64 "\n%s %" PRId64, swap ? uid_b : uid_a, swap ? number_b : number_a, swap ? uid_a : uid_b,
                 swap ? number_a : number_b);
  char mark[MATCH_LENGTH + 1];
  hash_text(identity, mark, MATCH_LENGTH);
  size_t stem = stem_length(environment, CR_NAME_MAX - 1 - MATCH_LENGTH);
  snprintf(ret, NAME_SIZE, "%.*s-%s", stem ? (int)stem : 5, stem ? environment : "match", mark);
}

bool name_image(char ret[IMAGE_SIZE], const char *registry, const char *namespace, const char *agent, int version,
                const char *uid) {
  int repository = snprintf(ret, IMAGE_SIZE, "%s/%s/%s", registry, namespace, agent);
  if (repository < 0 || repository > REPOSITORY_MAX) return false;
  snprintf(ret + repository, IMAGE_SIZE - (size_t)repository, ":v%d-%.*s", version, TAG_UID_LENGTH, uid);
  return true;
}

static bool is_digest(const char *text) {
  static const char prefix[] = "sha256:";
  size_t start = sizeof(prefix) - 1;
  return strncmp(text, prefix, start) == 0 && strspn(text + start, "0123456789abcdef") == 64 &&
         text[start + 64] == '\0';
}

int name_image_by_digest(char ret[IMAGE_SIZE], const char *image, const char *digest) {
  if (!image || !digest || !is_digest(digest)) return -1;
  size_t length = strcspn(image, "@");
  // A ':' after the last '/' begins the tag; one before it is a registry's port.
  for (size_t i = length; i > 0 && image[i - 1] != '/'; i--)
    if (image[i - 1] == ':') length = i - 1;
  if (length == 0 || image[length - 1] == '/') return -1;
  if (length + 1 + strlen(digest) >= IMAGE_SIZE) return -1;
  snprintf(ret, IMAGE_SIZE, "%.*s@%s", (int)length, image, digest);
  return 0;
}

int64_t name_seed(const char *uid) {
  unsigned char hash[SHA256_DIGEST_LENGTH];
  SHA256((const unsigned char *)uid, strlen(uid), hash);
  uint64_t n = 0;
  for (int i = 0; i < 8; i++) n = n << 8 | hash[i];
  return (int64_t)(n >> 11);
}
