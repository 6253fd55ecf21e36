// The end of blobs that nothing refers to: uploads of submissions that are gone for a week, replays that a later
// attempt replaced or whose match never came. By the replica that mirrors, once its rows are level: then what is
// missing in PostgreSQL is not there.
//
// Only the blob's own row is removed here; its bytes, in PostgreSQL or S3, are then what an upload left behind, and go
// with the cleaning of these (blobs.h). Replays of matches that are in history are kept for good.
#pragma once

struct app;
struct blob_sweep;

struct blob_sweep *blob_sweep_new(struct app *app);
void blob_sweep_start(struct blob_sweep *s);  // nothing, when it has been started
void blob_sweep_stop(struct blob_sweep *s);
void blob_sweep_free(struct blob_sweep *s);
