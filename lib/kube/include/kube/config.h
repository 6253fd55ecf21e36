// Where the API server is and how to speak to it: in-cluster (service account files, token
// re-read when its file changes) or a kubeconfig (libyaml; certificates, token, CA as files or data).
#pragma once

#include "base/error.h"
#include "base/str.h"

struct kube_config;

// KUBECONFIG (several files are merged as kubectl does), else in-cluster, else ~/.kube/config. Logins that
// need another program (exec, auth-provider) are refused with a sentence.
struct kube_config *kube_config_load(struct error *e);
struct kube_config *kube_config_from_file(const char *path, struct error *e);
// Pure parsing, for tests and fuzzing; relative file names are resolved against `directory`.
struct kube_config *kube_config_parse(const char *yaml, size_t length, const char *directory, struct error *e);
void kube_config_free(struct kube_config *c);

const char *kube_config_server(const struct kube_config *c);     // "https://host:port", no trailing slash
const char *kube_config_namespace(const struct kube_config *c);  // the context's or the account's; "default"
