// The front's configuration: environment variables, each checked at start. docs/configuration.md is tested against
// the table in settings.c.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct settings {
  char *listen_address, *internal_listen_address;
  char *database_url;  // has a password: never logged
  int64_t database_connections;
  char *jwt_secret;
  bool use_k8s;
  char *namespace;
  char *pod_namespace, *pod_name;
  char *allowed_origins;               // comma list; NULL: none
  char *trusted_proxies;               // comma list of networks; NULL: none
  char *public_url;                    // without a slash at its end; NULL: links are relative
  char *internal_url;                  // likewise
  char *tls_cert_file, *tls_key_file;  // NULL: plain HTTP
  int64_t max_upload_bytes, password_min;
  int64_t rate_auth, rate_submission, rate_match, rate_replay, rate_general;  // a minute
  int64_t submissions_per_day;
  int64_t connections_max, connections_per_address;
  char *blob_store;
  char *s3_endpoint, *s3_region, *s3_access_key_id, *s3_secret_access_key;
  char *fetch_users, *replay_users;  // "namespace:serviceaccount", comma lists
  char *fetch_allow_cidrs;           // comma list; NULL: none
  char *executor_url;                // NULL: no frames of running matches
  char *executor_token;              // NULL: the executor asks for none
  char *web_root;                    // NULL: a small page of our own
  int log_level, log_format;
};

// Reads the environment. ERR_INVALID names the variable, what it holds and what it should.
enum error_code settings_load(struct settings *ret, struct error *e);
void settings_done(struct settings *s);
// The table's variables in order, for the check of docs/configuration.md: the name, NULL after the last, and
// the default (NULL: the variable must be set; "": none).
const char *settings_variable(unsigned i, const char **ret_default);
