// The executor's messages (proto/executor.proto) from and to plain structs. Pure; everything that
// comes in is bounded and checked.
#pragma once

#include <stdint.h>

#include "arena/resources.h"

#define EXECUTOR_RUN_MATCH "/executor.Executor/RunMatch"

struct wire_agent {
  const char *id, *name, *image, *version, *endpoint;
  const char *failure;  // NULL or why it never came up
  const char *token;    // shows the agent that it is the executor who asks
};

struct wire_request {
  const char *match_id, *environment;
  struct wire_agent agents[PARTICIPANTS_MAX];
  unsigned agent_count;
  uint32_t timeout_seconds, attempt, startup_ms, move_ms, bank_ms;
  bool record_replay;
  uint64_t seed;
};

enum wire_status { WIRE_UNKNOWN, WIRE_SUCCESS, WIRE_TIMEOUT, WIRE_ERROR, WIRE_CANCELLED };
enum wire_failure {
  WIRE_FAILURE_NONE,
  WIRE_FAILURE_STARTUP,
  WIRE_FAILURE_LATE,
  WIRE_FAILURE_ILLEGAL,
  WIRE_FAILURE_CRASHED,
  WIRE_FAILURE_DISCONNECTED,
  WIRE_FAILURE_PROTOCOL
};

struct wire_result_agent {
  char *id;
  double score;  // finite
  int32_t errors;
  char *error_message;
  enum wire_failure failure;
};

struct wire_result {
  char *match_id;
  enum wire_status status;
  char *winner_id;  // NULL: draw
  struct wire_result_agent agents[PARTICIPANTS_MAX];
  unsigned agent_count;
  char *error_message;
  int64_t steps, milliseconds, seed;
  int32_t attempt;
  char *environment_version;
  char *replay_url, *replay_html_url, *replay_sha256, *replay_html_sha256;
};

// Heap bytes, caller frees.
uint8_t *wire_encode_request(const struct wire_request *r, size_t *ret_length);
// ERR_INVALID when malformed, NaN/infinite scores, a winner that did not play, text over its bounds
// (texts are cut at 1,024 bytes, urls refused over 2,048), wrong number of agents.
enum error_code wire_decode_response(const uint8_t *bytes, size_t length, struct wire_result *ret, struct error *e);
void wire_result_done(struct wire_result *r);

// ---- what can be played ----------------------------------------------------------------------------

// Its request has no fields: no bytes.
#define EXECUTOR_LIST_ENVIRONMENTS "/executor.Executor/ListEnvironments"

enum { WIRE_ENVIRONMENTS_MAX = 256 };
struct wire_environments {
  bool known;  // false: the executor has not said
  size_t count;
  char *names[WIRE_ENVIRONMENTS_MAX];
};
// ERR_INVALID when malformed, or more than WIRE_ENVIRONMENTS_MAX.
enum error_code wire_decode_environments(const uint8_t *bytes, size_t length, struct wire_environments *ret,
                                         struct error *e);
bool wire_environments_have(const struct wire_environments *l, const char *name);
void wire_environments_done(struct wire_environments *l);

// ---- frames of a running match ---------------------------------------------------------------------

#define EXECUTOR_STREAM_FRAMES "/executor.Executor/StreamFrames"

enum { WIRE_FRAME_MAX = 64 * 1024 };
struct wire_frame {
  int64_t step;
  char *json;  // an object's text
};
uint8_t *wire_encode_frames_request(const char *match_id, size_t *ret_length);  // heap bytes, caller frees
// ERR_INVALID when malformed, or when the frame is no JSON object.
enum error_code wire_decode_frame(const uint8_t *bytes, size_t length, struct wire_frame *ret, struct error *e);
void wire_frame_done(struct wire_frame *f);
