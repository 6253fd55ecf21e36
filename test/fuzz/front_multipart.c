// Any bytes as a form: the first one chooses the size of the pieces, and the Content-Type up to the first line break.
//
// What must hold: the same form in other pieces reads the same, no more comes out than went in, and nothing is told of
// a part that was not begun.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "multipart.h"
#include "target.h"

struct seen {
  struct str text;
  size_t bytes, parts;
  bool open;
};

static bool on_part(void *context, const struct multipart_part *p, struct error *e) {
  (void)e;
  struct seen *s = context;
  if (s->open || !p->name || strlen(p->name) > MULTIPART_NAME_MAX || ++s->parts > MULTIPART_PARTS_MAX) abort();
  if (p->filename && text_utf8_prefix(p->filename, strlen(p->filename)) != strlen(p->filename)) abort();
  s->open = true;
  str_add_format(&s->text, "[%s|%s]", p->name, p->filename ? p->filename : "");
  return true;
}

static bool on_data(void *context, const char *bytes, size_t length, struct error *e) {
  (void)e;
  struct seen *s = context;
  if (!s->open || length == 0) abort();
  s->bytes += length;
  str_add_bytes(&s->text, bytes, length);
  return true;
}

static bool on_end(void *context, struct error *e) {
  (void)e;
  struct seen *s = context;
  if (!s->open) abort();
  s->open = false;
  str_add(&s->text, "/");
  return true;
}

static const struct multipart_events events = {on_part, on_data, on_end};

static bool parse(const char *type, const uint8_t *data, size_t size, size_t piece, struct seen *s) {
  *s = (struct seen){.text = STR_INIT(1 << 22)};
  struct error e = {0};
  struct multipart *m = multipart_new(type, &events, s, &e);
  if (!m) {
    if (e.code != ERR_INVALID) abort();
    return false;
  }
  bool ok = true;
  for (size_t at = 0; ok && at < size; at += piece)
    ok = multipart_feed(m, (const char *)data + at, size - at < piece ? size - at : piece, &e);
  ok = ok && multipart_end(m, &e);
  if (!ok && (e.code != ERR_INVALID || e.text[0] == '\0')) abort();
  multipart_free(m);
  if (s->bytes > size || (ok && s->open)) abort();
  return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  size_t piece = data[0] + (size_t)1;
  const uint8_t *line_end = memchr(data + 1, '\n', size - 1);
  if (!line_end) return 0;
  cleanup_free char *type = mem_strndup((const char *)data + 1, (size_t)(line_end - data) - 1);
  const uint8_t *body = line_end + 1;
  size_t length = size - (size_t)(body - data);
  struct seen whole, pieces;
  bool one = parse(type, body, length, length ? length : 1, &whole);
  bool two = parse(type, body, length, piece, &pieces);
  if (one != two || whole.text.length != pieces.text.length ||
      (whole.text.length && memcmp(whole.text.data, pieces.text.data, whole.text.length) != 0))
    abort();
  str_done(&whole.text);
  str_done(&pieces.text);
  return 0;
}
