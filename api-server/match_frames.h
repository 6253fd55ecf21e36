// The frames of running matches, from the executor, while somebody on this replica wants to see them.
#pragma once

#include <stdbool.h>

struct app;
struct match_frames;

// `payload`: JSON text, a frame of the match with its id as "matchId".
typedef void match_frame_fn(void *context, const char *match_id, const char *payload);
// Without EXECUTOR_URL it does nothing.
struct match_frames *match_frames_new(struct app *app, match_frame_fn *fn, void *context);
void match_frames_free(struct match_frames *f);
void match_frames_watch(struct match_frames *f, const char *match_id, bool wanted);
void match_frames_note(struct match_frames *f, const char *match_id, bool running);  // it has begun, or is over
