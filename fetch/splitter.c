#include "splitter.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "utf8.h"

enum { KEY_MAX = 64, LITERAL_MAX = 64 };

enum expect {
  EXPECT_VALUE,
  EXPECT_VALUE_OR_END,  // behind "["
  EXPECT_KEY,
  EXPECT_KEY_OR_END,  // behind "{"
  EXPECT_COLON,
  EXPECT_COMMA_OR_END,
  EXPECT_NOTHING,  // behind the document
};

enum token { TOKEN_NONE, TOKEN_STRING, TOKEN_LITERAL };

struct level {
  bool object;
  uint64_t matches;  // which paths lead to this container; bit by index
};

struct splitter {
  const splitter_path *paths;
  size_t count;
  splitter_fn *found;
  void *context;

  enum expect expect;
  struct level levels[SPLITTER_DEPTH];
  size_t depth;
  uint64_t value_matches;  // which paths lead to the value that comes next

  enum token token;
  bool is_key;
  unsigned escape;                 // inside a string: 1 behind a backslash, 2..5 hex digits left plus one
  char text[SPLITTER_STRING + 8];  // the token so far: a literal, or a string's raw text
  size_t length;
  bool cut;     // the string went beyond its maximum: the rest is skipped
  size_t atom;  // where the last character or escape of `text` began: a cut never splits one

  size_t capture_depth;  // the depth at which a wanted value is being collected, plus one; 0: none
  size_t capture_path;
  struct str capture;
};

struct splitter *splitter_new(const splitter_path *paths, size_t count, splitter_fn *found, void *context) {
  struct splitter *s = mem_alloc(sizeof *s);
  s->paths = paths;
  s->count = count;
  s->found = found;
  s->context = context;
  s->value_matches = count >= 64 ? UINT64_MAX : ((uint64_t)1 << count) - 1;
  s->capture = STR_INIT(SPLITTER_VALUE);
  return s;
}

void splitter_free(struct splitter *s) {
  if (!s) return;
  str_done(&s->capture);
  free(s);
}

static bool broken(struct fault *f) {
  return fault_refuse(f, "BadReport", "The scanner's report is not a whole JSON document. The scan has to run again.");
}

// Which of the paths that lead to the container at the top go on with `key` (NULL: an array's element).
static uint64_t step(const struct splitter *s, const char *key) {
  uint64_t on = 0;
  for (size_t i = 0; i < s->count; i++) {
    if (!(s->levels[s->depth - 1].matches >> i & 1)) continue;
    const char *want = s->paths[i][s->depth - 1];
    if (want && strcmp(want, key ? key : "*") == 0) on |= (uint64_t)1 << i;
  }
  return on;
}

// The index of the path that ends at the value which comes next; `count` when none does.
static size_t wanted(const struct splitter *s) {
  for (size_t i = 0; i < s->count; i++) {
    if (!(s->value_matches >> i & 1)) continue;
    if (s->depth <= SPLITTER_PATH && s->paths[i][s->depth] == NULL) return i;
  }
  return s->count;
}

static bool collecting(const struct splitter *s) {
  // The wanted value itself and what is directly in it; what is deeper is null.
  return s->capture_depth != 0 && s->depth <= s->capture_depth;
}

// A wanted value begins: collects it until the depth is this one again.
static void begin_capture(struct splitter *s) {
  if (s->capture_depth != 0) return;
  size_t path = wanted(s);
  if (path == s->count) return;
  s->capture_depth = s->depth + 1;
  s->capture_path = path;
  str_clear(&s->capture);
}

// A value ended: what comes next, and whether it was the wanted one.
static bool end_value(struct splitter *s, struct fault *f) {
  s->expect = s->depth == 0 ? EXPECT_NOTHING : EXPECT_COMMA_OR_END;
  if (s->capture_depth != s->depth + 1) return true;
  s->capture_depth = 0;
  if (s->capture.failed) {
    return fault_refuse(f, "BadReport",
                        "A part of the scanner's report is larger than can be real. The scan has to run again.");
  }
  return s->found(s->context, s->capture_path, str_text(&s->capture), s->capture.length, f);
}

static bool open_container(struct splitter *s, bool object, struct fault *f) {
  if (s->depth == SPLITTER_DEPTH) return broken(f);
  begin_capture(s);
  if (collecting(s)) {
    // Directly inside the wanted value a container is only named, as null.
    str_add(&s->capture, s->depth + 1 == s->capture_depth ? (object ? "{" : "[") : "null");
  }
  s->levels[s->depth] = (struct level){.object = object, .matches = s->value_matches};
  s->depth++;
  s->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
  if (!object) s->value_matches = step(s, NULL);
  return true;
}

static bool close_container(struct splitter *s, bool object, struct fault *f) {
  if (s->depth == 0 || s->levels[s->depth - 1].object != object) return broken(f);
  s->depth--;
  if (s->capture_depth == s->depth + 1) str_add(&s->capture, object ? "}" : "]");
  return end_value(s, f);
}

static void begin_token(struct splitter *s, enum token token, bool is_key) {
  if (!is_key) begin_capture(s);
  s->token = token;
  s->is_key = is_key;
  s->escape = 0;
  s->length = 0;
  s->atom = 0;
  s->cut = false;
}

// Adds the string in `text` to the capture, with "?" for what is no UTF-8.
static void capture_string(struct splitter *s) {
  str_add(&s->capture, "\"");
  for (size_t at = 0; at < s->length;) {
    size_t n = utf8_sequence(s->text + at, s->length - at);
    if (n == 0) str_add(&s->capture, "?");
    if (n > 0) str_add_bytes(&s->capture, s->text + at, n);
    at += n ? n : 1;
  }
  str_add(&s->capture, "\"");
}

static bool end_string(struct splitter *s, struct fault *f) {
  s->token = TOKEN_NONE;
  if (collecting(s)) capture_string(s);
  if (!s->is_key) return end_value(s, f);
  s->expect = EXPECT_COLON;
  s->text[s->length] = '\0';
  // An escaped key is written by nobody who writes these reports; it simply matches nothing.
  s->value_matches = s->cut || s->length > KEY_MAX ? 0 : step(s, s->text);
  return true;
}

static bool feed_string(struct splitter *s, char c, struct fault *f) {
  bool starts = s->escape == 0 && ((unsigned char)c & 0xc0) != 0x80;
  if ((unsigned char)c < 0x20) return broken(f);
  if (s->escape == 1) {
    if (!strchr("\"\\/bfnrtu", c)) return broken(f);
    s->escape = c == 'u' ? 5 : 0;
  } else if (s->escape > 1) {
    if (!isxdigit((unsigned char)c)) return broken(f);
    if (--s->escape == 1) s->escape = 0;
  } else if (c == '"') {
    return end_string(s, f);
  } else if (c == '\\') {
    s->escape = 1;
  }
  if (s->cut) return true;
  if (starts) s->atom = s->length;
  if (s->length == SPLITTER_STRING) {
    s->length = s->atom;
    s->cut = true;
    return true;
  }
  s->text[s->length++] = c;
  return true;
}

static bool is_literal(const char *text, size_t length) {
  static const char *const WORDS[] = {"true", "false", "null"};
  for (size_t i = 0; i < array_size(WORDS); i++) {
    if (length == strlen(WORDS[i]) && memcmp(text, WORDS[i], length) == 0) return true;
  }
  const char *at = text, *end = text + length;
  if (at < end && *at == '-') at++;
  if (at == end || !isdigit((unsigned char)*at)) return false;
  if (*at == '0' && at + 1 < end && isdigit((unsigned char)at[1])) return false;
  while (at < end && isdigit((unsigned char)*at)) at++;
  if (at < end && *at == '.') {
    if (++at == end || !isdigit((unsigned char)*at)) return false;
    while (at < end && isdigit((unsigned char)*at)) at++;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    if (++at < end && (*at == '+' || *at == '-')) at++;
    if (at == end || !isdigit((unsigned char)*at)) return false;
    while (at < end && isdigit((unsigned char)*at)) at++;
  }
  return at == end;
}

static bool end_literal(struct splitter *s, struct fault *f) {
  s->token = TOKEN_NONE;
  if (!is_literal(s->text, s->length)) return broken(f);
  if (collecting(s)) str_add_bytes(&s->capture, s->text, s->length);
  return end_value(s, f);
}

static bool begin_value(struct splitter *s, char c, struct fault *f) {
  switch (c) {
    case '{': return open_container(s, true, f);
    case '[': return open_container(s, false, f);
    case '"': begin_token(s, TOKEN_STRING, false); return true;
    default:
      begin_token(s, TOKEN_LITERAL, false);
      s->text[s->length++] = c;
      return true;
  }
}

static bool feed_comma_or_end(struct splitter *s, char c, struct fault *f) {
  if (c == '}' || c == ']') return close_container(s, c == '}', f);
  if (c != ',') return broken(f);
  bool object = s->levels[s->depth - 1].object;
  s->expect = object ? EXPECT_KEY : EXPECT_VALUE;
  if (!object) s->value_matches = step(s, NULL);
  if (collecting(s)) str_add(&s->capture, ",");
  return true;
}

// One character between tokens.
static bool feed_structure(struct splitter *s, char c, struct fault *f) {
  if (c == ' ' || c == '\t' || c == '\r' || c == '\n') return true;
  switch (s->expect) {
    case EXPECT_VALUE_OR_END:
      if (c == ']') return close_container(s, false, f);
      return begin_value(s, c, f);
    case EXPECT_VALUE: return begin_value(s, c, f);
    case EXPECT_KEY_OR_END:
      if (c == '}') return close_container(s, true, f);
      // fall through: a key
      __attribute__((fallthrough));
    case EXPECT_KEY:
      if (c != '"') return broken(f);
      begin_token(s, TOKEN_STRING, true);
      return true;
    case EXPECT_COLON:
      if (c != ':') return broken(f);
      s->expect = EXPECT_VALUE;
      if (collecting(s)) str_add(&s->capture, ":");
      return true;
    case EXPECT_COMMA_OR_END: return feed_comma_or_end(s, c, f);
    default: return broken(f);
  }
}

static bool feed_char(struct splitter *s, char c, struct fault *f) {
  if (s->token == TOKEN_STRING) return feed_string(s, c, f);
  if (s->token == TOKEN_LITERAL) {
    if (isalnum((unsigned char)c) || strchr("+-.", c)) {
      if (c == '\0' || s->length == LITERAL_MAX) return broken(f);
      s->text[s->length++] = c;
      return true;
    }
    if (!end_literal(s, f)) return false;
  }
  return feed_structure(s, c, f);
}

bool splitter_feed(struct splitter *s, const char *bytes, size_t length, struct fault *f) {
  for (size_t i = 0; i < length; i++) {
    if (!feed_char(s, bytes[i], f)) return false;
  }
  return true;
}

bool splitter_end(struct splitter *s, struct fault *f) {
  if (s->token == TOKEN_LITERAL && !end_literal(s, f)) return false;
  return s->token == TOKEN_NONE && s->expect == EXPECT_NOTHING ? true : broken(f);
}
