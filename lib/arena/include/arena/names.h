// Names derived from other names: deterministic, valid, at most 63 characters.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAME_MAX_LENGTH = 63, NAME_SIZE = 64, CR_NAME_MAX = 52, IMAGE_SIZE = 512 };

void name_build_job(char ret[NAME_SIZE], const char *submission, int attempt);
void name_scan_job(char ret[NAME_SIZE], const char *submission, int attempt);
void name_source(char ret[NAME_SIZE], const char *submission);
void name_agent_pod(char ret[NAME_SIZE], const char *match, unsigned seat);
// From the environment (cut) and a SHA-256 over both agents' uids and numbers, in an order that does not
// depend on which agent comes first: <= 52 characters, a DNS label. The same decision gives the same name.
void name_match(char ret[NAME_SIZE], const char *environment, const char *uid_a, int64_t number_a, const char *uid_b,
                int64_t number_b);
// registry/namespace/agent:v3-1a2b3c4d ; false when it does not fit
bool name_image(char ret[IMAGE_SIZE], const char *registry, const char *namespace, const char *agent, int version,
                const char *uid);
// "repo:tag" or "repo@sha256:..." + digest -> "repo@digest"; 0 on success, -1 when it does not fit or is malformed
int name_image_by_digest(char ret[IMAGE_SIZE], const char *image, const char *digest);
// 53-bit seed from a uid: a match without an asked seed always gets the same.
int64_t name_seed(const char *uid);
