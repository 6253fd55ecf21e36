// What the client needs of a configuration, and how one is put together.
#pragma once

#include "kube/config.h"

#include "token.h"

// Certificates given as data are kept in memory under a path that libcurl can open; the
// descriptors live as long as the configuration.
enum { CONFIG_CA, CONFIG_CERT, CONFIG_KEY, CONFIG_FILES };

struct kube_config {
  char *server;
  char *namespace;
  bool insecure;
  char *files[CONFIG_FILES];  // paths, NULL without one
  int descriptors[CONFIG_FILES];
  struct token token;
};

struct kube_config *config_new(void);

// One kubeconfig: its text and the folder that its relative paths start from.
struct kubeconfig_source {
  const char *text;
  size_t length;
  const char *directory;
};
enum { KUBECONFIG_SOURCES_MAX = 8 };
// Several are merged as kubectl does: what is defined first wins.
struct kube_config *kubeconfig_resolve(const struct kubeconfig_source *sources, size_t count, struct error *e);

// The account of a Pod: `directory` has token, ca.crt and namespace. ERR_NOT_FOUND when host is empty.
struct kube_config *config_in_cluster(const char *directory, const char *host, const char *port, struct error *e);

// "https://host:port" without a trailing slash (heap) from what a kubeconfig says; NULL and `e` when it is no such URL.
char *config_clean_server(const char *text, struct error *e);
