// Words for people out of what builders and scanners print.
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/str.h"

#include "submission_parts.h"

enum { LINES_BACK = 40 };  // an error further up than this is another command's

// ---- one clean line ------------------------------------------------------------------------------

// Bytes of a terminal's escape sequence at `t` ("\033[31m"), 0 when there is none.
static size_t escape_length(const char *t, size_t left) {
  if (left < 2 || t[0] != '\033' || t[1] != '[') return 0;
  size_t n = 2;
  while (n < left && (unsigned char)t[n] < 0x40) n++;
  return n < left ? n + 1 : n;
}

void words_clean(const char *text, size_t length, char *ret, size_t size) {
  struct str clean = STR_INIT(4 * size);
  for (size_t i = 0; i < length && clean.length < size;) {
    size_t escape = escape_length(text + i, length - i);
    if (escape) {
      i += escape;
    } else if ((unsigned char)text[i] <= ' ' || text[i] == 0x7F) {
      if (clean.length && clean.data[clean.length - 1] != ' ') str_add(&clean, " ");
      i++;
    } else {
      size_t word = 1;
      while (i + word < length && word < size && (unsigned char)text[i + word] > ' ' && text[i + word] != 0x7F) word++;
      str_add_utf8(&clean, text + i, word);
      i += word;
    }
  }
  while (clean.length && clean.data[clean.length - 1] == ' ') clean.length--;
  size_t keep = clean.length < size ? clean.length : text_utf8_prefix(str_text(&clean), size - 1);
  if (keep > 0) memcpy(ret, clean.data, keep);
  ret[keep] = '\0';
  str_done(&clean);
}

// ---- which line ----------------------------------------------------------------------------------

static bool contains(const char *line, const char *word) {
  return strcasestr(line, word) != NULL;
}

static bool contains_any(const char *line, const char *const *words, unsigned count) {
  for (unsigned i = 0; i < count; i++)
    if (contains(line, words[i])) return true;
  return false;
}

// Kaniko's own last words only say that a command failed; what failed stands above.
static bool is_wrapper(const char *line) {
  return contains(line, "waiting for process to exit: exit status");
}

// Progress and advice, and pip's remarks that speak of an error without naming it.
static bool is_chatter(const char *line) {
  static const char *const starts[] = {"INFO[", "WARN[", "DEBU[", "WARNING:", "note:", "hint:", "[notice]"};
  static const char *const inside[] = {" INFO ", " WARN ", "[notice]"};
  for (unsigned i = 0; i < array_size(starts); i++)
    if (text_starts(line, starts[i])) return true;
  return contains_any(line, inside, array_size(inside));
}

static bool is_error(const char *line) {
  static const char *const words[] = {"error",     "failed",    "fatal",       "cannot",       "can't",
                                      "could not", "not found", "exception",   "no such file", "unable to",
                                      "denied",    "killed",    "unauthorized"};
  return contains_any(line, words, array_size(words));
}

struct candidates {
  char error[LINE_MAX_BYTES];    // the last that speaks of an error
  char other[LINE_MAX_BYTES];    // the last that a command printed
  char wrapper[LINE_MAX_BYTES];  // the last at all
};

static void consider(struct candidates *c, const char *line, size_t length) {
  char clean[LINE_MAX_BYTES];
  words_clean(line, length, clean, sizeof(clean));
  if (!clean[0]) return;
  if (is_wrapper(clean)) {
    if (!c->wrapper[0]) memcpy(c->wrapper, clean, sizeof(clean));
  } else if (is_chatter(clean)) {
    return;
  } else if (is_error(clean)) {
    if (!c->error[0]) memcpy(c->error, clean, sizeof(clean));
  } else if (!c->other[0]) {
    memcpy(c->other, clean, sizeof(clean));
  }
}

// "ERRO[0012] " and "FATAL" with a time in front say nothing that the line itself does not.
static const char *without_prefix(const char *line) {
  if (text_starts(line, "ERRO[") || text_starts(line, "FATA[")) {
    const char *end = strchr(line, ']');
    if (end && end[1] == ' ') return end + 2;
  }
  const char *fatal = strstr(line, " FATAL Fatal error ");
  return fatal && isdigit((unsigned char)line[0]) ? fatal + strlen(" FATAL Fatal error ") : line;
}

void words_error_line(const char *log, char ret[LINE_MAX_BYTES]) {
  struct candidates found = {0};
  const char *end = log ? log + strlen(log) : NULL;
  for (unsigned lines = 0; end && end > log && lines < LINES_BACK && !found.error[0]; lines++) {
    const char *start = end;
    while (start > log && start[-1] != '\n') start--;
    consider(&found, start, (size_t)(end - start));
    end = start > log ? start - 1 : start;
  }
  const char *best = found.error[0] ? found.error : found.other[0] ? found.other : found.wrapper;
  snprintf(ret, LINE_MAX_BYTES, "%s", without_prefix(best));
}

// ---- small things --------------------------------------------------------------------------------

bool words_is_digest(const char *text, char ret[DIGEST_SIZE]) {
  enum { HEX = 64 };
  static const char prefix[] = "sha256:";
  if (!text) return false;
  while (isspace((unsigned char)*text)) text++;
  if (!text_starts(text, prefix)) return false;
  size_t length = strlen(prefix) + HEX;
  if (strspn(text + strlen(prefix), "0123456789abcdef") != HEX) return false;
  for (const char *rest = text + length; *rest; rest++)
    if (!isspace((unsigned char)*rest)) return false;
  memcpy(ret, text, length);
  ret[length] = '\0';
  return true;
}

// Kaniko asked a registry for an image to build on, and did not get it.
static bool is_base(const char *message) {
  static const char *const answers[] = {"UNAUTHORIZED", "DENIED",       "MANIFEST_UNKNOWN",  "NAME_UNKNOWN",
                                        "x509:",        "no such host", "connection refused"};
  return contains(message, "/v2/") && contains_any(message, answers, array_size(answers));
}

const char *words_advice(const char *reason, const char *message) {
  static const struct {
    const char *reason, *advice;
  } table[] = {
      {"OOMKilled", "Make the build need less memory (fewer or prebuilt packages), then apply a new Submission."},
      {"DeadlineExceeded",
       "Make it faster or raise spec.build.timeoutSeconds in a new Submission; if it waited for a node or an image, "
       "tell the arena's operator."},
      {"Evicted", "It needs less disk or the node was short of it: make it smaller, then apply a new Submission."},
      {"PodLost",
       "The platform lost it, which is not the source's fault: apply a new Submission, or tell the arena's operator."},
      {"Disrupted", "The platform took it away, which is not the source's fault: apply a new Submission."},
      {"Unschedulable", "No node had room for it, which is not the source's fault: tell the arena's operator."},
      {"PushFailed",
       "The registry did not take the image, which is not the source's fault: tell the arena's operator."},
      {"BadImage", "Fix the Dockerfile, then apply a new Submission."},
      {"ImageTooBig", "Leave out what the agent does not need, then apply a new Submission."},
      {"BuildFailed", "Fix the source (Dockerfile, requirements.txt), then apply a new Submission."},
  };
  if (text_equal(reason, "BuildFailed") && is_base(message))
    return "The image to build on could not be had: correct FROM if that is the source's own, otherwise tell the "
           "arena's operator.";
  for (unsigned i = 0; i < array_size(table); i++)
    if (text_equal(table[i].reason, reason)) return table[i].advice;
  return "Apply a new Submission once that is solved.";
}
