#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

#include "config_private.h"
#include "file.h"

static const char account_directory[] = "/var/run/secrets/kubernetes.io/serviceaccount";

enum { FILE_MAX = 1024 * 1024 };

struct kube_config *config_new(void) {
  struct kube_config *c = mem_alloc(sizeof *c);
  for (int i = 0; i < CONFIG_FILES; i++) c->descriptors[i] = -1;
  return c;
}

void kube_config_free(struct kube_config *c) {
  if (c == NULL) return;
  for (int i = 0; i < CONFIG_FILES; i++) {
    free(c->files[i]);
    if (c->descriptors[i] >= 0) close(c->descriptors[i]);
  }
  token_done(&c->token);
  free(c->server);
  free(c->namespace);
  free(c);
}

const char *kube_config_server(const struct kube_config *c) {
  return c->server;
}

const char *kube_config_namespace(const struct kube_config *c) {
  return c->namespace != NULL ? c->namespace : "default";
}

char *config_clean_server(const char *text, struct error *e) {
  bool known = text_starts(text, "https://") || text_starts(text, "http://");
  size_t length = strlen(text);
  while (length > 0 && text[length - 1] == '/') length--;
  const char *host = known ? strstr(text, "://") + 3 : text;
  bool fine = known && text + length > host;
  for (size_t i = 0; i < length; i++)
    if (text[i] <= ' ' || text[i] > '~' || strchr("?#@\"\\", text[i]) != NULL) fine = false;
  if (fine) return mem_strndup(text, length);
  error_set(e, ERR_INVALID, "the server \"%s\" is not an http(s)://host:port address", text);
  return NULL;
}

static struct kube_config *load_files(char *const *paths, size_t count, struct error *e) {
  struct kubeconfig_source sources[KUBECONFIG_SOURCES_MAX];
  char *owned[2 * KUBECONFIG_SOURCES_MAX];
  size_t found = 0, owned_count = 0;
  enum error_code code = ERR_NONE;
  for (size_t i = 0; i < count && code == ERR_NONE; i++) {
    size_t length = 0;
    struct error why = {0};
    char *text = file_read(paths[i], FILE_MAX, &length, &why);
    if (text == NULL) {
      // As with kubectl a file of several may be missing, but not the only one.
      if (why.code != ERR_NOT_FOUND || count == 1) code = error_set(e, why.code, "kubeconfig %s", why.text);
      continue;
    }
    const char *slash = strrchr(paths[i], '/');
    char *directory =
        slash != NULL ? mem_strndup(paths[i], (size_t)(slash - paths[i]) + (slash == paths[i])) : mem_strdup(".");
    owned[owned_count++] = text;
    owned[owned_count++] = directory;
    sources[found++] = (struct kubeconfig_source){.text = text, .length = length, .directory = directory};
  }
  struct kube_config *c = NULL;
  if (code == ERR_NONE && found == 0)
    error_set(e, ERR_NOT_FOUND, "none of the files that KUBECONFIG names is there");
  else if (code == ERR_NONE && (c = kubeconfig_resolve(sources, found, e)) == NULL && count == 1)
    error_prefix(e, "kubeconfig %s", paths[0]);
  for (size_t i = 0; i < owned_count; i++) {
    explicit_bzero(owned[i], strlen(owned[i]));
    free(owned[i]);
  }
  return c;
}

struct kube_config *kube_config_from_file(const char *path, struct error *e) {
  char *copy = mem_strdup(path);
  struct kube_config *c = load_files(&copy, 1, e);
  free(copy);
  return c;
}

// KUBECONFIG's value: paths separated by colons, empty ones skipped.
static struct kube_config *load_list(const char *list, struct error *e) {
  char *paths[KUBECONFIG_SOURCES_MAX] = {0};
  size_t count = 0;
  bool too_many = false;
  while (*list != 0) {
    size_t length = strcspn(list, ":");
    too_many = length > 0 && count == KUBECONFIG_SOURCES_MAX;
    if (too_many) break;
    if (length > 0) paths[count++] = mem_strndup(list, length);
    list += length + (list[length] == ':');
  }
  struct kube_config *c = NULL;
  if (too_many)
    error_set(e, ERR_TOO_LARGE, "KUBECONFIG names more than %d files", KUBECONFIG_SOURCES_MAX);
  else
    c = load_files(paths, count, e);
  for (size_t i = 0; i < count; i++) free(paths[i]);
  return c;
}

static enum error_code fill_in_cluster(struct kube_config *c, const char *directory, const char *host, const char *port,
                                       struct error *e) {
  bool bare_ipv6 = strchr(host, ':') != NULL && host[0] != '[';
  cleanup_free char *server =
      mem_printf(bare_ipv6 ? "https://[%s]:%s" : "https://%s:%s", host, text_empty(port) ? "443" : port);
  c->server = config_clean_server(server, e);
  if (c->server == NULL) return ERR_INVALID;

  c->files[CONFIG_CA] = mem_printf("%s/ca.crt", directory);
  if (access(c->files[CONFIG_CA], R_OK) != 0)
    return error_set(e, ERR_NOT_FOUND, "%s cannot be read: is a service account token mounted?", c->files[CONFIG_CA]);

  cleanup_free char *namespace_file = mem_printf("%s/namespace", directory);
  c->namespace = file_read(namespace_file, 256, NULL, NULL);
  if (c->namespace != NULL) c->namespace[strcspn(c->namespace, " \r\n")] = 0;

  cleanup_free char *token_file = mem_printf("%s/token", directory);
  if (access(token_file, R_OK) != 0)
    return error_set(e, ERR_NOT_FOUND, "%s cannot be read: is a service account token mounted?", token_file);
  token_set_file(&c->token, token_file);
  return ERR_NONE;
}

struct kube_config *config_in_cluster(const char *directory, const char *host, const char *port, struct error *e) {
  if (host == NULL || host[0] == 0) {
    error_set(e, ERR_NOT_FOUND, "not in a Pod: KUBERNETES_SERVICE_HOST is not set");
    return NULL;
  }
  struct kube_config *c = config_new();
  if (fill_in_cluster(c, directory, host, port, e) == ERR_NONE) return c;
  kube_config_free(c);
  return NULL;
}

struct kube_config *kube_config_load(struct error *e) {
  const char *list = getenv("KUBECONFIG");
  if (list != NULL && list[0] != 0) return load_list(list, e);

  const char *host = getenv("KUBERNETES_SERVICE_HOST");
  if (!text_empty(host)) return config_in_cluster(account_directory, host, getenv("KUBERNETES_SERVICE_PORT"), e);

  const char *home = getenv("HOME");
  cleanup_free char *path = mem_printf("%s/.kube/config", home != NULL ? home : "");
  struct kube_config *c = kube_config_from_file(path, e);
  if (c == NULL) error_prefix(e, "no KUBECONFIG and not in a Pod");
  return c;
}

struct kube_config *kube_config_parse(const char *yaml, size_t length, const char *directory, struct error *e) {
  struct kubeconfig_source source = {.text = yaml, .length = length, .directory = directory};
  return kubeconfig_resolve(&source, 1, e);
}
