// Leader election by a coordination.k8s.io Lease, as client-go does it: 15 s duration, 10 s renew
// deadline, 2 s retry with jitter. Time is judged by the local monotonic clock since the last
// observed change, never by comparing clocks of two machines.
#pragma once

#include "kube/client.h"

struct lease;
// leading true: won. false: lost or the renew deadline passed - the program must stop acting at once.
typedef void lease_fn(void *context, bool leading);

struct lease *lease_new(struct kube_client *client, uv_loop_t *loop, const char *namespace, const char *name,
                        const char *identity, lease_fn *fn, void *context);
void lease_start(struct lease *l);
// Gives it up (writes an empty holder), then calls done; bounded in time.
void lease_release(struct lease *l, void (*done)(void *context), void *context);
void lease_free(struct lease *l);
// The resourceVersion of the write that won it: what an earlier holder wrote is older. 0: not won yet.
uint64_t lease_version(const struct lease *l);
// False from the renew deadline on, whether or not the loop got to the timer (checks after SIGSTOP).
bool lease_is_held(const struct lease *l);
// Somebody, we or another, holds it and renews it, as far as was seen.
bool lease_has_holder(const struct lease *l);
