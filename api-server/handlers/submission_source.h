// What a request to submit brings, as it becomes spec.source.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

#include "exchange.h"

struct settings;

// {"inline": {"files": {"agent.py": text}}}; NULL when the bytes are no text.
json *source_of_text(const char *text, size_t length);
// {"archive": ...} of a blob: at the front's own internal address.
json *source_of_blob(const struct settings *s, const char *sha256, const char *format);

// The JSON form: {agentId, codeUrl[, sha256][, format]} or {agentId, git{url, ref, path}}. `ret_source` NULL with
// *ret_url set: the code has to be brought first. What is wrong is answered, and false comes back.
bool source_of_json(struct exchange *x, json *body, json **ret_source, const char **ret_url, const char **ret_format);
