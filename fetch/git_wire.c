#include "git_wire.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

#include "utf8.h"

static bool no_git(struct fault *f) {
  return fault_refuse(f, "NotGit",
                      "Nothing at the URL speaks git's smart HTTP protocol. Use the URL that `git clone` takes, and "
                      "make the repository public.");
}

static bool is_hex(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (!isxdigit((unsigned char)text[i])) return false;
  }
  return true;
}

// The length that a packet's four digits say, or -1.
static int packet_length(const char *digits) {
  if (!is_hex(digits, 4)) return -1;
  int n = 0;
  for (int i = 0; i < 4; i++)
    n = n * 16 + (isdigit((unsigned char)digits[i]) ? digits[i] - '0' : (digits[i] | 32) - 'a' + 10);
  return n;
}

// One whole packet is in the buffer.
static bool end_packet(struct git_packets *p, struct fault *f) {
  size_t length = p->have - 4;
  p->have = 0;
  p->bytes[4 + length] = '\0';
  return p->packet(p->context, false, p->bytes + 4, length, f);
}

bool git_packets_feed(struct git_packets *p, const char *bytes, size_t length, struct fault *f) {
  while (length > 0) {
    size_t need = 4;
    if (p->have >= 4) need = (size_t)packet_length(p->bytes);
    size_t n = need - p->have < length ? need - p->have : length;
    memcpy(p->bytes + p->have, bytes, n);
    p->have += n;
    bytes += n;
    length -= n;
    if (p->have < need) return true;
    if (need == 4 && p->have == 4) {
      int size = packet_length(p->bytes);
      if (size < 0 || size > GIT_PACKET_MAX || (size > 0 && size < 4)) return no_git(f);
      if (size == 0) {
        p->have = 0;
        if (!p->packet(p->context, true, p->bytes, 0, f)) return false;
        continue;
      }
      if (size > 4) continue;
    }
    if (!end_packet(p, f)) return false;
  }
  return true;
}

bool git_packets_whole(const struct git_packets *p) {
  return p->have == 0;
}

bool git_ref_check(const char *ref, struct fault *f) {
  char quoted[FAULT_QUOTE_SIZE];
  size_t length = strlen(ref);
  bool ok = length > 0 && length <= GIT_REF_MAX && utf8_valid(ref, length) && ref[0] != '-' && ref[0] != '/' &&
            !strstr(ref, "..") && !strstr(ref, "//") && !strstr(ref, "@{") && ref[length - 1] != '/';
  for (size_t i = 0; ok && i < length; i++)
    ok = (unsigned char)ref[i] > 0x20 && ref[i] != 0x7f && !strchr("~^:?*[\\", ref[i]);
  if (ok) return true;
  return fault_refuse(f, "BadRef", "%s is no name of a branch, tag or commit. Correct ref.", fault_quote(ref, quoted));
}

void git_offer_init(struct git_offer *o, const char *ref) {
  *o = (struct git_offer){.ref = ref};
  if (strlen(ref) == GIT_HEX && is_hex(ref, GIT_HEX)) {
    for (int i = 0; i < GIT_HEX; i++) o->commit[i] = (char)tolower((unsigned char)ref[i]);
  }
}

void git_offer_done(struct git_offer *o) {
  free(o->tips);
  o->tips = NULL;
}

static void keep(char slot[GIT_HEX + 1], const char *hex) {
  memcpy(slot, hex, GIT_HEX);
  slot[GIT_HEX] = '\0';
}

static bool names(const char *name, const char *prefix, const char *ref) {
  size_t n = strlen(prefix);
  return strncmp(name, prefix, n) == 0 && strcmp(name + n, ref) == 0;
}

static void keep_tip(struct git_offer *o, const char *hex) {
  if (!*o->commit || o->tip_count == GIT_TIPS_MAX) return;
  o->tips = mem_grow(o->tips, o->tip_count + 1, sizeof *o->tips);
  keep(o->tips[o->tip_count++], hex);
}

static bool has_word(const char *words, const char *word) {
  size_t n = strlen(word);
  for (const char *at = words; (at = strstr(at, word)) != NULL; at += n) {
    if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0' || at[n] == '\n')) return true;
  }
  return false;
}

static bool read_abilities(struct git_offer *o, const char *words, struct fault *f) {
  o->side_band = has_word(words, "side-band-64k");
  o->shallow = has_word(words, "shallow");
  o->any_commit = has_word(words, "allow-reachable-sha1-in-want") || has_word(words, "allow-any-sha1-in-want");
  if (has_word(words, "object-format=sha256")) {
    return fault_refuse(f, "NotGit",
                        "The repository uses SHA-256 object names, which are not read yet. Use an archive instead.");
  }
  return o->side_band || no_git(f);
}

static bool read_ref(struct git_offer *o, char *line, size_t length, struct fault *f) {
  bool first = o->stage == 2;
  o->stage = 3;
  size_t visible = strlen(line);
  if (first && (visible == length || !read_abilities(o, line + visible + 1, f))) return no_git(f);
  if (visible > 0 && line[visible - 1] == '\n') line[--visible] = '\0';
  if (strncmp(line, "shallow ", 8) == 0) return true;
  if (visible < GIT_HEX + 2 || line[GIT_HEX] != ' ' || !is_hex(line, GIT_HEX)) return no_git(f);
  const char *name = line + GIT_HEX + 1;
  if (strcmp(name, "capabilities^{}") == 0) return true;  // an empty repository
  if (*o->commit && memcmp(line, o->commit, GIT_HEX) == 0) o->commit_is_tip = true;
  if (strcmp(name, o->ref) == 0) keep(o->full, line);
  if (names(name, "refs/heads/", o->ref)) keep(o->branch, line);
  if (names(name, "refs/tags/", o->ref)) keep(o->tag, line);
  bool branch = strncmp(name, "refs/heads/", 11) == 0, tag = strncmp(name, "refs/tags/", 10) == 0;
  if ((branch || tag) && !strstr(name, "^{}")) keep_tip(o, line);
  return true;
}

// What a server says instead of an answer.
static bool read_error(const char *line, size_t length, struct fault *f) {
  char quoted[FAULT_QUOTE_SIZE];
  while (length > 0 && line[length - 1] == '\n') length--;
  return fault_refuse(f, "GitError", "The git server answered %s. Correct the URL or ref.",
                      fault_quote_bytes(line, length, quoted));
}

bool git_offer_packet(void *offer, bool flush, char *bytes, size_t length, struct fault *f) {
  struct git_offer *o = offer;
  if (!flush && strncmp(bytes, "ERR ", 4) == 0) return read_error(bytes + 4, length - 4, f);
  switch (o->stage) {
    case 0:
      if (flush || strncmp(bytes, "# service=git-upload-pack", 25) != 0) return no_git(f);
      o->stage = 1;
      return true;
    case 1:
      if (!flush) return no_git(f);
      o->stage = 2;
      return true;
    case 2:
    case 3:
      if (!flush) return read_ref(o, bytes, length, f);
      o->stage = 4;  // without any line: an empty repository
      return true;
    default: return no_git(f);
  }
}

bool git_offer_decide(const struct git_offer *o, struct git_want *ret, struct fault *f) {
  char quoted[FAULT_QUOTE_SIZE];
  if (o->stage != 4)
    return fault_retry(f, "Incomplete", "The git server ended its answer early. It will be tried again.");
  *ret = (struct git_want){0};
  const char *target = *o->commit ? o->commit : *o->full ? o->full : *o->branch ? o->branch : o->tag;
  if (!*target) {
    return fault_refuse(
        f, "RefNotFound",
        "The repository has no branch or tag %s. Correct ref; a commit is named by all of its 40 digits.",
        fault_quote(o->ref, quoted));
  }
  keep(ret->target, target);
  ret->deep = *o->commit && !o->commit_is_tip && !o->any_commit;
  if (ret->deep && o->tip_count == 0)
    return fault_refuse(f, "RefNotFound", "The repository is empty. Push to it first.");
  return true;
}

static void add_packet(struct str *s, const char *text) {
  str_add_format(s, "%04zx%s", strlen(text) + 4, text);
}

void git_want_body(const struct git_offer *o, const struct git_want *w, struct str *ret) {
  size_t count = w->deep ? o->tip_count : 1;
  bool depth = !w->deep && o->shallow;
  for (size_t i = 0; i < count; i++) {
    char line[256];
    const char *hex = w->deep ? o->tips[i] : w->target;
    const char *abilities = i > 0   ? ""
                            : depth ? " side-band-64k ofs-delta no-progress shallow agent=rl-arena-fetch"
                                    : " side-band-64k ofs-delta no-progress agent=rl-arena-fetch";
    snprintf(line, sizeof line, "want %s%s\n", hex, abilities);
    add_packet(ret, line);
  }
  if (depth) add_packet(ret, "deepen 1\n");
  str_add(ret, "0000");
  add_packet(ret, "done\n");
}

static bool read_band(struct git_answer *a, const char *bytes, size_t length, struct fault *f) {
  char quoted[FAULT_QUOTE_SIZE];
  if (length == 0) return true;
  switch (bytes[0]) {
    case 1: return a->pack(a->context, bytes + 1, length - 1, f);
    case 2: return true;  // progress, for people
    case 3:
      return fault_retry(f, "GitError", "The git server failed: %s. It will be tried again.",
                         fault_quote_bytes(bytes + 1, length - 1, quoted));
    default: return no_git(f);
  }
}

bool git_answer_packet(void *answer, bool flush, char *bytes, size_t length, struct fault *f) {
  struct git_answer *a = answer;
  if (!flush && a->stage < 2 && strncmp(bytes, "ERR ", 4) == 0) return read_error(bytes + 4, length - 4, f);
  switch (a->stage) {
    case 0:
    case 1:
      if (flush) {
        a->stage = 1;
        return true;
      }
      if (a->stage == 0 && strncmp(bytes, "shallow ", 8) == 0) return true;
      if (strncmp(bytes, "NAK", 3) != 0 && strncmp(bytes, "ACK ", 4) != 0) return no_git(f);
      a->stage = 2;
      return true;
    case 2:
      if (!flush) return read_band(a, bytes, length, f);
      a->stage = 3;
      return true;
    default: return no_git(f);
  }
}
