#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

enum { LINE_MAX_BYTES = 16 * 1024, VALUE_MAX_BYTES = 2 * 1024 };

static enum log_level least = LOG_INFO;
static enum log_format shape = LOG_JSON;

void log_setup(enum log_level level, enum log_format format) {
  least = level;
  shape = format;
}

static const char *level_name(enum log_level level) {
  static const char *const names[] = {"debug", "info", "warn", "error"};
  return names[level];
}

// `text` between quotes with JSON's escapes; what is no UTF-8 is replaced, what is too long is cut.
static void add_quoted(struct str *line, const char *text) {
  size_t length = strnlen(text, VALUE_MAX_BYTES + 1);
  bool cut = length > VALUE_MAX_BYTES;
  if (cut)
    for (length = VALUE_MAX_BYTES; length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80;) length--;
  struct str clean = STR_INIT(3 * VALUE_MAX_BYTES + 3);
  str_add_utf8(&clean, text, length);
  if (cut) str_add(&clean, "...");
  str_add(line, "\"");
  for (const char *c = str_text(&clean); *c; c++) {
    if (*c == '"' || *c == '\\')
      str_add_format(line, "\\%c", *c);
    else if (*c == '\n')
      str_add(line, "\\n");
    else if (*c == '\t')
      str_add(line, "\\t");
    else if ((unsigned char)*c < 0x20 || *c == 0x7F)
      str_add_format(line, "\\u%04x", (unsigned)*c);
    else
      str_add_bytes(line, c, 1);
  }
  str_add(line, "\"");
  str_done(&clean);
}

static void add_pair(struct str *line, const char *key, const char *value) {
  if (shape == LOG_JSON) {
    str_add(line, ",");
    add_quoted(line, key);
    str_add(line, ":");
    add_quoted(line, value);
    return;
  }
  str_add_format(line, " %s=", key);
  bool plain = *value && strlen(value) <= VALUE_MAX_BYTES;
  for (const char *c = value; *c && plain; c++) plain = *c > ' ' && *c < 0x7F && *c != '"' && *c != '=';
  if (plain)
    str_add(line, value);
  else
    add_quoted(line, value);
}

static void write_line(const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(STDERR_FILENO, bytes, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // nobody can be told that nobody listens
    bytes += n;
    length -= (size_t)n;
  }
}

void log_event(enum log_level level, const char *message, ...) {
  if (level < least) return;
  struct str line = STR_INIT(LINE_MAX_BYTES);
  char now[CLOCK_TEXT_SIZE];
  clock_format_micro(clock_now(), now);
  if (shape == LOG_JSON) {
    str_add_format(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", now, level_name(level));
    add_quoted(&line, message);
  } else {
    str_add_format(&line, "%.12s %-5s %s", now + sizeof("2026-01-02T") - 1, level_name(level), message);
  }

  va_list args;
  va_start(args, message);
  for (const char *key; (key = va_arg(args, const char *)) != NULL;) {
    const char *value = va_arg(args, const char *);
    size_t before = line.length;
    add_pair(&line, key, value ? value : "");
    if (!line.failed && line.length < LINE_MAX_BYTES - sizeof(",\"cut\":\"true\"}\n")) continue;
    line.length = before;  // half a pair is no JSON
    line.failed = false;
    add_pair(&line, "cut", "true");
    break;
  }
  va_end(args);

  str_add(&line, shape == LOG_JSON ? "}\n" : "\n");
  write_line(str_text(&line), line.length);
  str_done(&line);
}

const char *log_number(int64_t n, char ret[LOG_NUMBER_SIZE]) {
  snprintf(ret, LOG_NUMBER_SIZE, "%" PRId64, n);
  return ret;
}
