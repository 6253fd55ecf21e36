// From a request at /ws to a WebSocket.
#pragma once

#include <stdbool.h>

#include "route.h"

bool upgrade_is_route(const struct route *r);
void upgrade_begin(struct exchange *x);     // who asks is known, or nobody
void handle_websocket(struct exchange *x);  // the handler of the routes that are WebSockets
