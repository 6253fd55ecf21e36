// A kubeconfig's contexts, clusters and users, as far as a program without a person beside it
// can use them: what would need another program or a browser is refused with a sentence.
#include <string.h>

#include "base/memory.h"

#include "config_private.h"
#include "file.h"
#include "yaml_tree.h"

enum { KUBECONFIG_MAX = 1024 * 1024, DATA_MAX = 256 * 1024 };

struct documents {
  struct yaml_tree *roots[KUBECONFIG_SOURCES_MAX];
  const struct kubeconfig_source *sources;
  size_t count;
};

// The `inner` part of the entry called `name` in the first document that has one; its folder too.
static struct yaml_tree *find_entry(const struct documents *d, const char *list, const char *name, const char *inner,
                                    const char **ret_directory) {
  for (size_t i = 0; i < d->count; i++) {
    struct yaml_tree *entries = yaml_tree_get(d->roots[i], list);
    for (struct yaml_tree *t = entries != NULL ? entries->first : NULL; t != NULL; t = t->next) {
      if (!text_equal(yaml_tree_text(t, "name"), name)) continue;
      if (ret_directory != NULL) *ret_directory = d->sources[i].directory;
      return yaml_tree_get(t, inner);
    }
  }
  return NULL;
}

static char *resolve_path(const char *path, const char *directory) {
  if (path[0] == '/' || text_empty(directory)) return mem_strdup(path);
  return mem_printf("%s/%s", directory, path);
}

// `<key>-data` (base64) wins over `<key>` (a path), as with kubectl.
static enum error_code take_file(struct kube_config *c, int which, struct yaml_tree *from, const char *key,
                                 const char *directory, struct error *e) {
  cleanup_free char *data_key = mem_printf("%s-data", key);
  const char *data = yaml_tree_text(from, data_key);
  const char *path = yaml_tree_text(from, key);
  if (data == NULL) {
    if (path != NULL) c->files[which] = resolve_path(path, directory);
    return ERR_NONE;
  }
  if (strlen(data) > DATA_MAX) return error_set(e, ERR_TOO_LARGE, "%s is larger than %d bytes", data_key, DATA_MAX);
  size_t length = 0;
  unsigned char *bytes = file_decode_base64(data, &length);
  if (bytes == NULL) return error_set(e, ERR_INVALID, "%s is not base64", data_key);
  c->descriptors[which] = file_in_memory(key, bytes, length, &c->files[which], e);
  explicit_bzero(bytes, length);
  free(bytes);
  return c->descriptors[which] >= 0 ? ERR_NONE : ERR_INTERNAL;
}

static enum error_code refuse(struct yaml_tree *from, const char *key, const char *advice, struct error *e) {
  struct yaml_tree *t = yaml_tree_get(from, key);
  if (t == NULL || (t->kind == YAML_TEXT && (t->text[0] == 0 || text_equal(t->text, "null")))) return ERR_NONE;
  return error_set(e, ERR_INVALID, "\"%s\" is not supported: %s", key, advice);
}

static enum error_code take_cluster(struct kube_config *c, struct yaml_tree *cluster, const char *directory,
                                    struct error *e) {
  if (refuse(cluster, "proxy-url", "the API server has to be reached directly", e) != ERR_NONE ||
      refuse(cluster, "tls-server-name", "use a server address that its certificate names", e) != ERR_NONE)
    return ERR_INVALID;
  const char *server = yaml_tree_text(cluster, "server");
  if (server == NULL) return error_set(e, ERR_INVALID, "it has no server");
  c->server = config_clean_server(server, e);
  if (c->server == NULL) return ERR_INVALID;
  c->insecure = text_equal(yaml_tree_text(cluster, "insecure-skip-tls-verify"), "true");
  return take_file(c, CONFIG_CA, cluster, "certificate-authority", directory, e);
}

static enum error_code refuse_foreign_logins(struct yaml_tree *user, struct error *e) {
  static const char advice[] = "use a client certificate or a service account's token (kubectl create token)";
  static const char *const keys[] = {"exec", "auth-provider", "username",  "password",
                                     "as",   "as-uid",        "as-groups", "as-user-extra"};
  for (size_t i = 0; i < array_size(keys); i++) {
    enum error_code code = refuse(user, keys[i], advice, e);
    if (code != ERR_NONE) return code;
  }
  return ERR_NONE;
}

static enum error_code take_user(struct kube_config *c, struct yaml_tree *user, const char *directory,
                                 struct error *e) {
  enum error_code code = refuse_foreign_logins(user, e);
  if (code == ERR_NONE) code = take_file(c, CONFIG_CERT, user, "client-certificate", directory, e);
  if (code == ERR_NONE) code = take_file(c, CONFIG_KEY, user, "client-key", directory, e);
  if (code != ERR_NONE) return code;
  if ((c->files[CONFIG_CERT] == NULL) != (c->files[CONFIG_KEY] == NULL))
    return error_set(e, ERR_INVALID, "client-certificate and client-key need each other");

  const char *token_file = yaml_tree_text(user, "tokenFile");
  const char *token = yaml_tree_text(user, "token");
  if (token_file != NULL) {
    cleanup_free char *path = resolve_path(token_file, directory);
    token_set_file(&c->token, path);
  } else if (token != NULL) {
    char *clean = mem_strdup(token);
    code = token_clean(clean, e);
    if (code == ERR_NONE) token_set_text(&c->token, clean);
    explicit_bzero(clean, strlen(clean));
    free(clean);
  }
  return code;
}

static enum error_code take_context(struct kube_config *c, const struct documents *d, const char *name,
                                    struct error *e) {
  struct yaml_tree *context = find_entry(d, "contexts", name, "context", NULL);
  if (context == NULL) return error_set(e, ERR_INVALID, "it has no context \"%s\"", name);
  c->namespace = mem_strdup(yaml_tree_text(context, "namespace"));

  const char *directory = NULL;
  const char *cluster_name = yaml_tree_text(context, "cluster");
  struct yaml_tree *cluster = find_entry(d, "clusters", cluster_name, "cluster", &directory);
  if (cluster_name == NULL || cluster == NULL)
    return error_set(e, ERR_INVALID, "it has no cluster \"%s\"", cluster_name != NULL ? cluster_name : "");
  if (take_cluster(c, cluster, directory, e) != ERR_NONE) return error_prefix(e, "cluster \"%s\"", cluster_name);

  const char *user_name = yaml_tree_text(context, "user");
  if (user_name == NULL) return ERR_NONE;
  struct yaml_tree *user = find_entry(d, "users", user_name, "user", &directory);
  if (user == NULL) return error_set(e, ERR_INVALID, "it has no user \"%s\"", user_name);
  if (take_user(c, user, directory, e) != ERR_NONE) return error_prefix(e, "user \"%s\"", user_name);
  return ERR_NONE;
}

static enum error_code parse_documents(struct documents *d, size_t count, struct error *e) {
  for (; d->count < count; d->count++) {
    const struct kubeconfig_source *s = &d->sources[d->count];
    if (s->length > KUBECONFIG_MAX) return error_set(e, ERR_TOO_LARGE, "it is larger than %d bytes", KUBECONFIG_MAX);
    d->roots[d->count] = yaml_tree_parse(s->text, s->length, e);
    if (d->roots[d->count] == NULL) return ERR_INVALID;
  }
  return ERR_NONE;
}

static enum error_code take_current(struct kube_config *c, const struct documents *d, struct error *e) {
  for (size_t i = 0; i < d->count; i++) {
    const char *name = yaml_tree_text(d->roots[i], "current-context");
    if (name != NULL) return take_context(c, d, name, e);
  }
  return error_set(e, ERR_INVALID, "it has no current-context");
}

struct kube_config *kubeconfig_resolve(const struct kubeconfig_source *sources, size_t count, struct error *e) {
  struct documents d = {.sources = sources};
  struct kube_config *c = config_new();
  enum error_code code = parse_documents(&d, count, e);
  if (code == ERR_NONE) code = take_current(c, &d, e);
  for (size_t i = 0; i < d.count; i++) yaml_tree_free(d.roots[i]);
  if (code == ERR_NONE) return c;
  kube_config_free(c);
  return NULL;
}
