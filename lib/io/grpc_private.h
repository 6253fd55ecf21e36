// What every gRPC call sends, whatever it is answered with: shared by grpc.c and grpc_stream.c.
#pragma once

#include "io/grpc.h"

// A frame: one byte "compressed", four bytes length (big endian), the message.
enum { GRPC_FRAME_HEAD = 5 };

// Sends one message. `rest` says how the answer is taken; method, url, headers and body are filled in here. `deadline`
// as in grpc_start. A place for faults is passed before it; grpc_passed and grpc_abandon pass the others.
struct http_request *grpc_send(struct http *h, const struct grpc_peer *peer, const char *method, const uint8_t *message,
                               size_t length, msec deadline, struct http_options *rest);
// The answer is there. `method` is the one that was sent, "/package.Service/Method".
void grpc_passed(const char *method);
// The answer is not waited for any more.
void grpc_abandon(const char *method, struct http_request *r);
