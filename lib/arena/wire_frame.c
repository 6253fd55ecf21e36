// The frames that the executor streams while a match runs.
#include <string.h>

#include "arena/wire.h"
#include "base/memory.h"

#include "executor.pb-c.h"

uint8_t *wire_encode_frames_request(const char *match_id, size_t *ret_length) {
  Executor__StreamFramesRequest m = EXECUTOR__STREAM_FRAMES_REQUEST__INIT;
  m.match_id = (char *)(uintptr_t)match_id;  // packing does not write to it
  *ret_length = executor__stream_frames_request__get_packed_size(&m);
  uint8_t *bytes = mem_alloc(*ret_length > 0 ? *ret_length : 1);
  executor__stream_frames_request__pack(&m, bytes);
  return bytes;
}

enum error_code wire_decode_frame(const uint8_t *bytes, size_t length, struct wire_frame *ret, struct error *e) {
  if (length > WIRE_FRAME_MAX) return error_set(e, ERR_INVALID, "a frame is larger than %d bytes", WIRE_FRAME_MAX);
  Executor__Frame *m = executor__frame__unpack(NULL, length, bytes);
  if (m == NULL) return error_set(e, ERR_INVALID, "a frame is no protobuf message");
  struct error why = {0};
  cleanup_json json *object = json_parse(m->json, strlen(m->json), &why);
  const bool good = json_object_is_type(object, json_type_object);
  if (good) *ret = (struct wire_frame){.step = m->step, .json = json_print(object)};
  executor__frame__free_unpacked(m, NULL);
  return good ? ERR_NONE : error_set(e, ERR_INVALID, "a frame is no JSON object");
}

void wire_frame_done(struct wire_frame *f) {
  free(f->json);
  *f = (struct wire_frame){0};
}
