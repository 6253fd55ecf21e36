// Answers that are streamed.
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "connection.h"
#include "exchange_parts.h"

enum { BACKLOG_MAX = 256 * 1024 };

void exchange_start(struct exchange *x, int status, const char *content_type, int64_t length, exchange_flow_fn *drained,
                    exchange_flow_fn *gone, void *context) {
  x->drained = drained;
  x->gone = gone;
  x->flow_context = context;
  x->left = length;
  answer_head(x, status, content_type, length);
}

bool exchange_write(struct exchange *x, const void *bytes, size_t length) {
  // Nobody is there: it goes nowhere, and there is no reason to wait.
  if (!x->connection || x->ended) return true;
  if (x->left >= 0 && (uint64_t)x->left < length) length = (size_t)x->left;  // a promise is not exceeded
  if (x->left >= 0) x->left -= (int64_t)length;
  if (length > 0 && !x->is_head) {
    if (x->chunked) {
      char size[24];
      int n = snprintf(size, sizeof(size), "%zx\r\n", length);
      connection_write(x->connection, size, (size_t)n);
    }
    connection_write(x->connection, bytes, length);
    if (x->chunked) connection_write(x->connection, "\r\n", 2);
    x->sent += length;
  }
  if (connection_backlog(x->connection) < BACKLOG_MAX) return true;
  x->wants_drained = true;
  return false;
}

void exchange_end(struct exchange *x) {
  x->drained = x->gone = NULL;
  if (x->connection) {
    if (x->chunked && !x->is_head) connection_write(x->connection, "0\r\n\r\n", 5);
    // Less than was promised: the client must see that this is not all.
    if (x->left > 0 && !x->is_head) x->stay = false;
  }
  exchange_finish(x);
}
