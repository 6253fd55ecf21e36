#include "multipart.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/str.h"

#include "multipart_header.h"

enum { PREAMBLE_MAX = 4096, PADDING_MAX = 64 };

enum state {
  STATE_PREAMBLE,  // before the first boundary
  STATE_BOUNDARY,  // behind a boundary, at its line's end
  STATE_LINE,      // in a header line
  STATE_DATA,
  STATE_END,  // behind the last boundary: what follows means nothing
};

struct multipart {
  const struct multipart_events *events;
  void *context;
  enum state state;
  bool failed;
  // CR, LF, "--", boundary. CR is nowhere in it but in front, so that a match that breaks can only begin again at the
  // byte that broke it.
  char delimiter[4 + MULTIPART_BOUNDARY_MAX + 1];
  size_t delimiter_length, matched;
  size_t virtual;  // of the matched bytes: a line break that the part's data does not have
  size_t preamble;
  char tail[2];  // what came behind a boundary
  size_t tail_length, padding;
  char line[MULTIPART_LINE_MAX + 1];
  size_t line_length;
  bool line_has_cr;
  unsigned lines, parts;
  struct multipart_disposition disposition;
  char content_type[MULTIPART_NAME_MAX + 1];
  bool has_disposition, has_type;
};

struct multipart *multipart_new(const char *content_type, const struct multipart_events *events, void *context,
                                struct error *e) {
  char boundary[MULTIPART_BOUNDARY_MAX + 1];
  if (!multipart_boundary(content_type, boundary, e)) return NULL;
  struct multipart *m = mem_alloc(sizeof *m);
  m->events = events;
  m->context = context;
  memcpy(m->delimiter, "\r\n--", 4);
  memcpy(m->delimiter + 4, boundary, strlen(boundary) + 1);
  m->delimiter_length = strlen(m->delimiter);
  m->matched = m->virtual = 2;  // the body's start is a line's start
  return m;
}

void multipart_free(struct multipart *m) {
  free(m);
}

static bool wrong(struct error *e, const char *what) {
  error_set(e, ERR_INVALID, "the form cannot be read: %s", what);
  return false;
}

// ---- headers -------------------------------------------------------------------------------------

static bool is_header(const char *line, const char *name, const char **ret_value) {
  size_t length = strlen(name);
  if (strncasecmp(line, name, length) != 0 || line[length] != ':') return false;
  *ret_value = line + length + 1 + strspn(line + length + 1, " \t");
  return true;
}

static bool take_type(struct multipart *m, const char *value, struct error *e) {
  if (m->has_type) return wrong(e, "a part says its Content-Type twice");
  if (strncasecmp(value, "multipart/", strlen("multipart/")) == 0) return wrong(e, "a part is a form itself");
  if (strlen(value) > MULTIPART_NAME_MAX) return wrong(e, "a part's Content-Type is too long");
  m->has_type = true;
  memcpy(m->content_type, value, strlen(value) + 1);
  return true;
}

static bool take_header(struct multipart *m, struct error *e) {
  const char *value;
  if (m->line[0] == ' ' || m->line[0] == '\t') return wrong(e, "a header goes on in a second line");
  if (is_header(m->line, "Content-Disposition", &value)) {
    if (m->has_disposition) return wrong(e, "a part says its Content-Disposition twice");
    m->has_disposition = true;
    return multipart_disposition(value, &m->disposition, e);
  }
  if (is_header(m->line, "Content-Type", &value)) return take_type(m, value, e);
  if (is_header(m->line, "Content-Transfer-Encoding", &value) && strcasecmp(value, "binary") != 0 &&
      strcasecmp(value, "8bit") != 0 && strcasecmp(value, "7bit") != 0)
    return wrong(e, "a part has a transfer encoding");
  return strchr(m->line, ':') != NULL || wrong(e, "a header has no colon");
}

static bool begin_part(struct multipart *m, struct error *e) {
  if (!m->has_disposition) return wrong(e, "a part has no Content-Disposition");
  struct multipart_part part = {
      .name = m->disposition.name,
      .filename = m->disposition.has_filename ? m->disposition.filename : NULL,
      .content_type = m->has_type ? m->content_type : NULL,
  };
  m->state = STATE_DATA;
  m->matched = m->virtual = 2;  // an empty part's boundary follows at once: the headers' last line break counts for
                                // both
  return m->events->part(m->context, &part, e);
}

static bool end_line(struct multipart *m, struct error *e) {
  m->line[m->line_length] = '\0';
  if (m->line_length == 0) return begin_part(m, e);
  if (++m->lines > MULTIPART_LINES_MAX) return wrong(e, "a part has too many headers");
  m->line_length = 0;
  return take_header(m, e);
}

static bool line_byte(struct multipart *m, char c, struct error *e) {
  if (m->line_has_cr) {
    m->line_has_cr = false;
    return c == '\n' ? end_line(m, e) : wrong(e, "a header's line does not end in CR LF");
  }
  if (c == '\r') {
    m->line_has_cr = true;
    return true;
  }
  if (c == '\n' || c == '\0') return wrong(e, "a header's line does not end in CR LF");
  if (m->line_length == MULTIPART_LINE_MAX) return wrong(e, "a header is longer than 1024 bytes");
  m->line[m->line_length++] = c;
  return true;
}

// ---- boundaries ----------------------------------------------------------------------------------

static void begin_headers(struct multipart *m) {
  m->state = STATE_LINE;
  m->line_length = m->lines = 0;
  m->line_has_cr = m->has_disposition = m->has_type = false;
}

static bool boundary_byte(struct multipart *m, char c, struct error *e) {
  if (m->tail_length == 0 && (c == ' ' || c == '\t')) {
    m->padding++;
    return m->padding <= PADDING_MAX || wrong(e, "too much space behind a boundary");
  }
  m->tail[m->tail_length++] = c;
  if (m->tail_length < 2) return true;
  if (memcmp(m->tail, "--", 2) == 0 && m->padding == 0) {
    m->state = STATE_END;
    return true;
  }
  if (memcmp(m->tail, "\r\n", 2) != 0) return wrong(e, "there is text behind a boundary");
  if (++m->parts > MULTIPART_PARTS_MAX) return wrong(e, "it has more than 16 parts");
  begin_headers(m);
  return true;
}

static bool end_part(struct multipart *m, struct error *e) {
  bool first = m->state == STATE_PREAMBLE;
  m->state = STATE_BOUNDARY;
  m->tail_length = m->padding = m->matched = m->virtual = 0;
  return first || m->events->part_end(m->context, e);
}

// ---- data ----------------------------------------------------------------------------------------

static bool give(struct multipart *m, const char *bytes, size_t length, struct error *e) {
  if (length == 0) return true;
  if (m->state == STATE_PREAMBLE) {
    m->preamble += length;
    return m->preamble <= PREAMBLE_MAX || wrong(e, "it does not begin with its boundary");
  }
  return m->events->data(m->context, bytes, length, e);
}

// Data up to the next delimiter, or as far as there is: returns how many bytes were used, 0 on failure.
static size_t feed_data(struct multipart *m, const char *bytes, size_t length, struct error *e) {
  size_t start = 0, at = 0;
  while (at < length) {
    if (m->matched == 0) {
      const char *cr = memchr(bytes + at, '\r', length - at);
      if (!cr) break;
      at = (size_t)(cr - bytes);
      if (!give(m, bytes + start, at - start, e)) return 0;
      m->matched = 1;
      start = ++at;
    } else if (bytes[at] == m->delimiter[m->matched]) {
      start = ++at;
      if (++m->matched == m->delimiter_length) return end_part(m, e) ? at : 0;
    } else {
      size_t from = m->virtual, kept = m->matched - from;
      m->matched = m->virtual = 0;
      if (!give(m, m->delimiter + from, kept, e)) return 0;
    }
  }
  return m->matched > 0 || give(m, bytes + start, length - start, e) ? length : 0;
}

// ---- all of it -----------------------------------------------------------------------------------

static bool feed(struct multipart *m, const char *bytes, size_t length, struct error *e) {
  for (size_t at = 0; at < length && m->state != STATE_END;) {
    bool ok = true;
    switch (m->state) {
      case STATE_PREAMBLE:
      case STATE_DATA: {
        size_t used = feed_data(m, bytes + at, length - at, e);
        at += used;
        ok = used > 0;
        break;
      }
      case STATE_BOUNDARY: ok = boundary_byte(m, bytes[at++], e); break;
      case STATE_LINE: ok = line_byte(m, bytes[at++], e); break;
      case STATE_END: break;
    }
    if (!ok) return false;
  }
  return true;
}

bool multipart_feed(struct multipart *m, const char *bytes, size_t length, struct error *e) {
  if (m->failed) return wrong(e, "it was refused already");
  m->failed = !feed(m, bytes, length, e);
  return !m->failed;
}

bool multipart_end(const struct multipart *m, struct error *e) {
  if (!m->failed && m->state == STATE_END) return true;
  return wrong(e, "it ends before its last boundary");
}
