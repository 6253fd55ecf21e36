#include "watch_feed.h"

#include <string.h>

#include "base/memory.h"

void watch_feed_init(struct watch_feed *f, size_t max_line, const char *const *skipped, watch_event_fn *fn,
                     void *context) {
  *f = (struct watch_feed){.line = STR_INIT(max_line), .skipped = skipped, .fn = fn, .context = context};
}

void watch_feed_done(struct watch_feed *f) {
  str_done(&f->line);
}

static bool parse_type(const char *text, enum watch_type *ret) {
  static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};
  for (size_t i = 0; i < array_size(names); i++) {
    if (!text_equal(names[i], text)) continue;
    *ret = (enum watch_type)i;
    return true;
  }
  return false;
}

static bool is_blank(const char *line, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r') return false;
  return true;
}

static enum error_code take_line(struct watch_feed *f, const char *line, size_t length, struct error *e) {
  if (is_blank(line, length)) return ERR_NONE;
  struct error why = {0};
  cleanup_json json *event = json_parse_without(line, length, f->skipped, &why);
  if (event == NULL) return error_set(e, ERR_INTERNAL, "a watch event is not JSON: %s", why.text);
  enum watch_type type;
  json *object = json_get(event, "object");
  if (!parse_type(json_text(event, "type"), &type) || !json_object_is_type(object, json_type_object))
    return error_set(e, ERR_INTERNAL, "a watch event has no known type or no object");
  if (!f->fn(f->context, type, object)) return error_set(e, ERR_CANCELLED, "no more events are wanted");
  return ERR_NONE;
}

static enum error_code push(struct watch_feed *f, const char *bytes, size_t length, struct error *e) {
  while (length > 0) {
    const char *newline = memchr(bytes, '\n', length);
    size_t part = newline != NULL ? (size_t)(newline - bytes) : length;
    if (part > f->line.max - f->line.length)
      return error_set(e, ERR_TOO_LARGE, "a watch event is longer than %zu bytes", f->line.max);

    enum error_code code = ERR_NONE;
    if (newline == NULL) {
      str_add_bytes(&f->line, bytes, part);
    } else if (f->line.length == 0) {
      code = take_line(f, bytes, part, e);  // the usual case: a whole line in one piece, not copied
    } else {
      str_add_bytes(&f->line, bytes, part);
      code = take_line(f, f->line.data, f->line.length, e);
      str_clear(&f->line);
    }
    if (code != ERR_NONE) return code;
    if (newline != NULL) part++;
    bytes += part;
    length -= part;
  }
  return ERR_NONE;
}

enum error_code watch_feed_push(struct watch_feed *f, const char *bytes, size_t length, struct error *e) {
  if (f->stopped != ERR_NONE) return error_set(e, f->stopped, "the watch has stopped");
  f->stopped = push(f, bytes, length, e);
  return f->stopped;
}

enum error_code watch_feed_end(struct watch_feed *f, struct error *e) {
  if (f->stopped != ERR_NONE) return error_set(e, f->stopped, "the watch has stopped");
  if (is_blank(str_text(&f->line), f->line.length)) return ERR_NONE;
  return error_set(e, ERR_UNAVAILABLE, "the watch was cut within an event");
}
