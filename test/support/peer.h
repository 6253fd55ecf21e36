// A real server in Python for integration tests, and a loop to talk to it on.
//
// The interpreter is ARENA_PYTHON (else python3) and has what test/integration/requirements.txt
// names; the script lies in ARENA_TEST_SUPPORT, which meson sets. What cannot start fails the test.
#pragma once

#include <stdbool.h>

#include <uv.h>

struct peer;

struct peer *peer_start(const char *script);
void peer_stop(struct peer *p);
// What it printed as "name value" before "ready".
const char *peer_value(const struct peer *p, const char *name);

// Runs the loop until *done. Fails the test when nothing is left to wait for, or after 60 s.
void loop_until(uv_loop_t *loop, const bool *done);
// Lets what was freed close; fails when a handle was forgotten.
void loop_end(uv_loop_t *loop);
