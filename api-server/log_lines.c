#include "log_lines.h"

#include <ctype.h>
#include <string.h>

enum { SECONDS_LENGTH = 19 };  // 2026-01-02T03:04:05

void log_lines_init(struct log_lines *l, const struct log_place *from) {
  *l = (struct log_lines){.partial = STR_INIT(LOG_TIME_SIZE + LOG_LINE_MAX), .place = *from};
  log_lines_begin(l);
}

void log_lines_done(struct log_lines *l) {
  str_done(&l->partial);
}

void log_lines_begin(struct log_lines *l) {
  str_clear(&l->partial);
  l->cut = false;
  l->catching_up = l->place.time[0] != '\0';
  l->skip = l->place.lines;
}

int log_time_compare(const char *a, const char *b) {
  int seconds = strncmp(a, b, SECONDS_LENGTH);
  if (seconds != 0 || strlen(a) < SECONDS_LENGTH || strlen(b) < SECONDS_LENGTH) return seconds;
  a += SECONDS_LENGTH;
  b += SECONDS_LENGTH;
  if (*a == '.') a++;
  if (*b == '.') b++;
  while (isdigit((unsigned char)*a) || isdigit((unsigned char)*b)) {
    const char x = isdigit((unsigned char)*a) ? *a++ : '0', y = isdigit((unsigned char)*b) ? *b++ : '0';
    if (x != y) return x - y;
  }
  return 0;
}

// The timestamp in front of a line and the space after it; 0 when there is none.
static size_t time_length(const char *line, size_t length) {
  const char *space = memchr(line, ' ', length < LOG_TIME_SIZE ? length : LOG_TIME_SIZE);
  const size_t n = space != NULL ? (size_t)(space - line) : length;
  if (n <= SECONDS_LENGTH || n >= LOG_TIME_SIZE || line[4] != '-' || line[10] != 'T') return 0;
  return n;
}

// Whether the line is known from an earlier answer.
static bool is_known(struct log_lines *l, const char *time) {
  if (!l->catching_up) return false;
  const int order = log_time_compare(time, l->place.time);
  if (order < 0) return true;
  if (order == 0 && l->skip > 0) {
    l->skip--;
    return true;
  }
  l->catching_up = false;
  return false;
}

static void note_time(struct log_lines *l, const char *time) {
  if (log_time_compare(time, l->place.time) == 0 && l->place.time[0] != '\0') {
    l->place.lines++;
    return;
  }
  memcpy(l->place.time, time, strlen(time) + 1);
  l->place.lines = 1;
}

// PostgreSQL takes neither NUL nor what is no UTF-8.
static void add_text(struct str *text, const char *line, size_t length) {
  while (length > 0) {
    const char *nul = memchr(line, '\0', length);
    const size_t part = nul != NULL ? (size_t)(nul - line) : length;
    str_add_utf8(text, line, part);
    if (nul == NULL) break;
    str_add(text, "\xef\xbf\xbd");
    line += part + 1;
    length -= part + 1;
  }
  str_add(text, "\n");
}

static void take_line(struct log_lines *l, struct str *text) {
  const char *line = str_text(&l->partial);
  size_t length = l->partial.length;
  const size_t stamp = time_length(line, length);
  char time[LOG_TIME_SIZE] = "";
  memcpy(time, line, stamp);
  if (stamp > 0 && is_known(l, time)) return;
  if (stamp > 0) {
    note_time(l, time);
    line += stamp;
    length -= stamp;
    if (length > 0) {
      line++;
      length--;
    }
  }
  if (length > 0 && line[length - 1] == '\r') length--;
  add_text(text, line, length);
}

static void end_line(struct log_lines *l, struct str *text) {
  take_line(l, text);
  str_clear(&l->partial);
  l->cut = false;
}

void log_lines_push(struct log_lines *l, const char *bytes, size_t length, struct str *text) {
  static const char mark[] = "...";
  while (length > 0) {
    const char *newline = memchr(bytes, '\n', length);
    const size_t part = newline != NULL ? (size_t)(newline - bytes) : length;
    const size_t room = l->partial.max - sizeof mark - l->partial.length;
    if (!l->cut) {
      str_add_bytes(&l->partial, bytes, part < room ? part : room);
      l->cut = part > room;
      if (l->cut) str_add(&l->partial, mark);
    }
    if (newline != NULL) end_line(l, text);
    const size_t used = part + (newline != NULL ? 1 : 0);
    bytes += used;
    length -= used;
  }
}

void log_lines_end(struct log_lines *l, struct str *text) {
  if (l->partial.length > 0) end_line(l, text);
}
