#include "fault.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/memory.h"

#include "utf8.h"

static const char DEFAULT_PATH[] = "/dev/termination-log";

static void record(struct fault *f, enum fault_kind kind, const char *reason, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));

static void record(struct fault *f, enum fault_kind kind, const char *reason, const char *format, va_list args) {
  if (f->kind != FAULT_NONE) return;
  f->kind = kind;
  snprintf(f->reason, sizeof f->reason, "%s", reason);
  int length = vsnprintf(f->message, sizeof f->message, format, args);
  // A cut may fall inside a character.
  if (length >= (int)sizeof f->message) f->message[utf8_cut(f->message, sizeof f->message - 1)] = '\0';
}

bool fault_refuse(struct fault *f, const char *reason, const char *format, ...) {
  va_list args;
  va_start(args, format);
  record(f, FAULT_REFUSED, reason, format, args);
  va_end(args);
  return false;
}

bool fault_retry(struct fault *f, const char *reason, const char *format, ...) {
  va_list args;
  va_start(args, format);
  record(f, FAULT_TRANSIENT, reason, format, args);
  va_end(args);
  return false;
}

const char *fault_quote_bytes(const char *bytes, size_t length, char ret[FAULT_QUOTE_SIZE]) {
  // Room for both quotes, an ellipsis of three bytes and the NUL.
  size_t room = FAULT_QUOTE_SIZE - 6, used = 0;
  ret[used++] = '"';
  size_t at = 0;
  while (at < length) {
    size_t n = utf8_printable(bytes + at, length - at);
    if (used + (n ? n : 1) > room) break;
    if (n == 0) {
      ret[used++] = '?';
      at++;
    } else {
      memcpy(ret + used, bytes + at, n);
      used += n;
      at += n;
    }
  }
  memcpy(ret + used, at < length ? "...\"" : "\"", at < length ? 5 : 2);
  return ret;
}

const char *fault_quote(const char *text, char ret[FAULT_QUOTE_SIZE]) {
  return fault_quote_bytes(text ? text : "", text ? strlen(text) : 0, ret);
}

static void write_all(int fd, const char *text, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, text, length);
    if (n <= 0) return;
    text += n;
    length -= (size_t)n;
  }
}

void fault_report(const struct fault *f, const char *path) {
  cleanup_json json *o = json_new_object();
  json_add_text(o, "reason", f->reason);
  json_add_text(o, "message", f->message);
  cleanup_free char *text = json_print(o);
  fprintf(stderr, "%s\n", text);

  int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)
                : open(DEFAULT_PATH, O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (fd < 0) return;  // stderr has it; the Job falls back to the log
  write_all(fd, text, strlen(text));
  close(fd);
}
