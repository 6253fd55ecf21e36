// Any bytes as a watch, whole and in pieces of the size that the first one says: the same events and the same end.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#include "target.h"
#include "watch_feed.h"

static const char *const skipped[] = {"managedFields", NULL};

static bool on_event(void *context, enum watch_type type, json *object) {
  cleanup_free char *text = json_print(object);
  str_add_format(context, "%d%s\n", (int)type, text);
  return true;
}

static enum error_code run(const char *bytes, size_t length, size_t piece, struct str *ret) {
  struct watch_feed f;
  watch_feed_init(&f, 200, skipped, on_event, ret);
  enum error_code code = ERR_NONE;
  while (length > 0) {
    size_t n = piece < length ? piece : length;
    code = watch_feed_push(&f, bytes, n, NULL);
    bytes += n;
    length -= n;
  }
  enum error_code end = watch_feed_end(&f, NULL);
  watch_feed_done(&f);
  return code != ERR_NONE ? code : end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct str whole = STR_INIT(1000000), cut = STR_INIT(1000000);
  const char *bytes = (const char *)data + 1;
  enum error_code a = run(bytes, size - 1, size, &whole), b = run(bytes, size - 1, data[0] % 50 + 1, &cut);
  if (a != b || strcmp(str_text(&whole), str_text(&cut)) != 0) abort();
  str_done(&whole);
  str_done(&cut);
  return 0;
}
