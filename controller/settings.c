// One table: variable, default, where it goes, and what may be in it.
#include "settings.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

enum { VALUE_MAX = 4096, REGISTRY_MAX = 255, CIDRS_MAX = 64, SHOWN_MAX = 80 };

typedef bool check_fn(const char *value);
enum store { STORE_TEXT, STORE_BOOL, STORE_REGISTRY, STORE_BASE_URL, STORE_CIDRS, STORE_LEVEL, STORE_FORMAT };

struct setting {
  const char *variable;
  const char *otherwise;  // NULL: must be set; "": none
  enum store store;
  size_t offset;
  check_fn *check;
  const char *expected;  // how a right value looks, for the error line
};

// ---- what a value may look like ------------------------------------------------------------------

static bool only(const char *text, const char *allowed) {
  return *text && text[strspn(text, allowed)] == '\0';
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool is_label(const char *v) {
  size_t length = strlen(v);
  return length <= 63 && only(v, LOWER DIGITS "-") && v[0] != '-' && v[length - 1] != '-';
}

static bool is_object_name(const char *v) {
  size_t length = strlen(v);
  return length <= 253 && only(v, LOWER DIGITS "-.") && isalnum((unsigned char)v[0]) &&
         isalnum((unsigned char)v[length - 1]);
}

static bool is_image(const char *v) {
  return strlen(v) <= 512 && only(v, LOWER UPPER DIGITS "._-:/@") && isalnum((unsigned char)v[0]);
}

static const char *without_scheme(const char *v) {
  if (text_starts(v, "https://")) return v + strlen("https://");
  if (text_starts(v, "http://")) return v + strlen("http://");
  return v;
}

static bool is_registry(const char *v) {
  v = without_scheme(v);
  return strlen(v) <= REGISTRY_MAX && only(v, LOWER DIGITS "._-:/") && isalnum((unsigned char)v[0]) && !strstr(v, "//");
}

static bool is_word(const char *v) {
  for (; *v; v++)
    if (*v <= ' ' || *v == 0x7F) return false;
  return true;
}

static bool is_url(const char *v) {
  const char *host = without_scheme(v);
  return host != v && isalnum((unsigned char)host[0]) && is_word(host);
}

static bool is_repository(const char *v) {
  return is_image(v) && strchr(v, '/');
}

static bool is_cidr(const char *v) {
  char address[INET6_ADDRSTRLEN];
  const char *slash = strchr(v, '/');
  if (!slash || (size_t)(slash - v) >= sizeof(address) || !only(slash + 1, DIGITS) || strlen(slash + 1) > 3)
    return false;
  memcpy(address, v, (size_t)(slash - v));
  address[slash - v] = '\0';
  struct in6_addr parsed;
  int bits = atoi(slash + 1);
  if (inet_pton(AF_INET, address, &parsed) == 1) return bits <= 32;
  return inet_pton(AF_INET6, address, &parsed) == 1 && bits <= 128;
}

static bool is_listen_address(const char *v) {
  const char *colon = strrchr(v, ':');
  if (!colon || colon == v || !only(colon + 1, DIGITS) || strlen(colon + 1) > 5) return false;
  int port = atoi(colon + 1);
  return port >= 1 && port <= 65535;
}

// What Kubernetes takes as a quantity, without the exponent forms that nobody writes by hand; not zero.
static bool is_quantity(const char *v) {
  static const char *const units[] = {"", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"};
  size_t whole = strspn(v, DIGITS);
  size_t end = whole;
  if (v[end] == '.') end += 1 + strspn(v + end + 1, DIGITS);
  if (whole == 0 || end > 18 || strspn(v, "0.") == end) return false;
  for (unsigned i = 0; i < array_size(units); i++)
    if (text_equal(v + end, units[i])) return true;
  return false;
}

static bool is_bool(const char *v) {
  return text_equal(v, "true") || text_equal(v, "false");
}

// Goes into a header as it is.
static bool is_token(const char *v) {
  const size_t length = strlen(v);
  return is_word(v) && length >= 32 && length <= 512;
}

static const char *const levels[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};
static const char *const formats[] = {[LOG_JSON] = "json", [LOG_TEXT] = "text"};

static int word_index(const char *const *words, unsigned count, const char *v) {
  for (unsigned i = 0; i < count; i++)
    if (text_equal(words[i], v)) return (int)i;
  return -1;
}

static bool is_level(const char *v) {
  return word_index(levels, array_size(levels), v) >= 0;
}

static bool is_format(const char *v) {
  return word_index(formats, array_size(formats), v) >= 0;
}

// ---- the table -----------------------------------------------------------------------------------

#define NAME_OF "a Kubernetes name: lower-case letters, digits and '-'"
#define IMAGE_OF "an image reference such as registry.example.com/rl-arena/fetch:v1"
#define URL_OF "an http:// or https:// address"
#define QUANTITY_OF "a Kubernetes quantity above 0 such as 500m, 2 or 1Gi"
#define BOOL_OF "true or false"
#define AT(field) offsetof(struct settings, field)

static const struct setting table[] = {
    {"K8S_NAMESPACE", "rl-arena", STORE_TEXT, AT(namespace), is_label, NAME_OF},
    {"POD_NAMESPACE", "rl-arena-system", STORE_TEXT, AT(pod_namespace), is_label, NAME_OF},
    {"POD_NAME", "", STORE_TEXT, AT(pod_name), is_object_name, NAME_OF},
    {"CONTAINER_REGISTRY_URL", NULL, STORE_REGISTRY, AT(registry), is_registry,
     "a registry with an optional path, in lower case, such as registry.example.com/agents"},
    {"EXECUTOR_URL", "http://executor.rl-arena-system.svc:50051", STORE_TEXT, AT(executor_url), is_url, URL_OF},
    {"EXECUTOR_TOKEN", "", STORE_TEXT, AT(executor_token), is_token, "32 to 512 printable characters without blanks"},
    {"FETCH_IMAGE", NULL, STORE_TEXT, AT(fetch_image), is_image, IMAGE_OF},
    {"BUILDER_IMAGE", NULL, STORE_TEXT, AT(builder_image), is_image, IMAGE_OF},
    {"SCANNER_IMAGE", NULL, STORE_TEXT, AT(scanner_image), is_image, IMAGE_OF},
    {"RUNTIME_IMAGE", NULL, STORE_TEXT, AT(runtime_image), is_image, IMAGE_OF},
    {"REGISTRY_INSECURE", "false", STORE_BOOL, AT(registry_insecure), is_bool, BOOL_OF},
    {"REGISTRY_SECRET", "", STORE_TEXT, AT(registry_secret), is_object_name, NAME_OF},
    {"REGISTRY_PULL_SECRET", "", STORE_TEXT, AT(registry_pull_secret), is_object_name, NAME_OF},
    {"CA_CONFIGMAP", "", STORE_TEXT, AT(ca_config_map), is_object_name, NAME_OF},
    {"TRIVY_DB_REPOSITORY", "", STORE_TEXT, AT(trivy_db_repository), is_repository,
     "an OCI repository such as registry.example.com/mirror/trivy-db:2"},
    {"TRIVY_SERVER_URL", "", STORE_TEXT, AT(trivy_server_url), is_url, URL_OF},
    {"TRIVY_OFFLINE", "false", STORE_BOOL, AT(trivy_offline), is_bool, BOOL_OF},
    {"PIP_INDEX_URL", "", STORE_TEXT, AT(pip_index_url), is_url, URL_OF},
    {"FRONT_URL", "", STORE_BASE_URL, AT(front_url), is_url, URL_OF},
    {"FETCH_ALLOW_CIDRS", "", STORE_CIDRS, AT(fetch_allow_cidrs), NULL,
     "a comma-separated list of networks such as 10.0.0.0/8,fd00::/8"},
    {"AGENT_RUNTIME_CLASS", "", STORE_TEXT, AT(agent_runtime_class), is_object_name, NAME_OF},
    {"LISTEN_ADDRESS", "0.0.0.0:8080", STORE_TEXT, AT(listen_address), is_listen_address,
     "address:port such as 0.0.0.0:8080"},
    {"LEADER_ELECT", "true", STORE_BOOL, AT(leader_elect), is_bool, BOOL_OF},
    {"BUILD_CPU", "1", STORE_TEXT, AT(build_cpu), is_quantity, QUANTITY_OF},
    {"BUILD_MEMORY", "2Gi", STORE_TEXT, AT(build_memory), is_quantity, QUANTITY_OF},
    {"BUILD_DISK", "4Gi", STORE_TEXT, AT(build_disk), is_quantity, QUANTITY_OF},
    {"SCAN_MEMORY", "1Gi", STORE_TEXT, AT(scan_memory), is_quantity, QUANTITY_OF},
    {"AGENT_CPU", "500m", STORE_TEXT, AT(agent_cpu), is_quantity, QUANTITY_OF},
    {"AGENT_MEMORY", "512Mi", STORE_TEXT, AT(agent_memory), is_quantity, QUANTITY_OF},
    {"LOG_FORMAT", "json", STORE_FORMAT, AT(log_format), is_format, "json or text"},
    {"LOG_LEVEL", "info", STORE_LEVEL, AT(log_level), is_level, "debug, info, warn or error"},
};

const char *settings_variable(unsigned i, const char **ret_default) {
  if (i >= array_size(table)) return NULL;
  *ret_default = table[i].otherwise;
  return table[i].variable;
}

// ---- reading -------------------------------------------------------------------------------------

static enum error_code refuse(const struct setting *s, const char *value, struct error *e) {
  // An address may carry a password: it stays out of the log.
  if (s->check == is_token || (strchr(value, '@') && strstr(value, "://")))
    return error_set(e, ERR_INVALID, "%s must be %s; it holds something else (not shown: it may have a password)",
                     s->variable, s->expected);
  bool cut = strlen(value) > SHOWN_MAX;
  return error_set(e, ERR_INVALID, "%s is \"%.*s%s\", but must be %s", s->variable, SHOWN_MAX, value, cut ? "..." : "",
                   s->expected);
}

static char *without_slash(const char *value) {
  size_t length = strlen(value);
  while (length > 0 && value[length - 1] == '/') length--;
  return mem_strndup(value, length);
}

static bool store_cidrs(struct settings *ret, const char *value) {
  cleanup_free char *copy = mem_strdup(value);
  char *rest = copy;
  for (char *item; (item = strsep(&rest, ",")) != NULL;) {
    while (*item == ' ') item++;
    item[strcspn(item, " ")] = '\0';
    if (*item == '\0') continue;
    if (!is_cidr(item) || ret->fetch_allow_cidr_count == CIDRS_MAX) return false;
    ret->fetch_allow_cidrs = mem_grow(ret->fetch_allow_cidrs, ret->fetch_allow_cidr_count + 1, sizeof(char *));
    ret->fetch_allow_cidrs[ret->fetch_allow_cidr_count++] = mem_strdup(item);
  }
  return true;
}

static enum error_code store(struct settings *ret, const struct setting *s, const char *value, struct error *e) {
  void *field = (char *)ret + s->offset;
  if (strlen(value) > VALUE_MAX) return error_set(e, ERR_INVALID, "%s is longer than %d bytes", s->variable, VALUE_MAX);
  if (s->check && !s->check(value)) return refuse(s, value, e);
  switch (s->store) {
    case STORE_TEXT: *(char **)field = mem_strdup(value); break;
    case STORE_REGISTRY: *(char **)field = without_slash(without_scheme(value)); break;
    case STORE_BASE_URL: *(char **)field = without_slash(value); break;
    case STORE_BOOL: *(bool *)field = text_equal(value, "true"); break;
    case STORE_LEVEL: *(int *)field = word_index(levels, array_size(levels), value); break;
    case STORE_FORMAT: *(int *)field = word_index(formats, array_size(formats), value); break;
    case STORE_CIDRS:
      if (!store_cidrs(ret, value)) return refuse(s, value, e);
      break;
  }
  return ERR_NONE;
}

// Outside a Pod nobody says its name; the host's is as good to tell lease holders apart.
static char *host_name(void) {
  char name[254] = "";
  if (gethostname(name, sizeof(name) - 1) != 0 || !name[0]) return mem_strdup("controller");
  return mem_strdup(name);
}

// What holds of several variables together.
static enum error_code check_together(const struct settings *s, struct error *e) {
  if (s->registry_pull_secret && text_equal(s->registry_pull_secret, s->registry_secret))
    return error_set(e, ERR_INVALID,
                     "REGISTRY_PULL_SECRET is \"%s\", as REGISTRY_SECRET is, but must be another: authors' build steps "
                     "can read it",
                     s->registry_pull_secret);
  return ERR_NONE;
}

enum error_code settings_load(struct settings *ret, struct error *e) {
  struct settings s = {0};
  for (unsigned i = 0; i < array_size(table); i++) {
    // Empty counts as not set: manifests clear a variable that way.
    const char *value = getenv(table[i].variable);
    if (text_empty(value)) value = table[i].otherwise;
    enum error_code code = ERR_NONE;
    if (!value)
      code = error_set(e, ERR_INVALID, "%s is not set; it must be %s", table[i].variable, table[i].expected);
    else if (*value)
      code = store(&s, &table[i], value, e);
    if (code) {
      settings_done(&s);
      return code;
    }
  }
  enum error_code code = check_together(&s, e);
  if (code) {
    settings_done(&s);
    return code;
  }
  if (!s.pod_name) s.pod_name = host_name();
  *ret = s;
  return ERR_NONE;
}

static bool is_text(enum store store) {
  return store == STORE_TEXT || store == STORE_REGISTRY || store == STORE_BASE_URL;
}

void settings_done(struct settings *s) {
  for (unsigned i = 0; i < array_size(table); i++)
    if (is_text(table[i].store)) free(*(char **)((char *)s + table[i].offset));
  for (unsigned i = 0; i < s->fetch_allow_cidr_count; i++) free(s->fetch_allow_cidrs[i]);
  free(s->fetch_allow_cidrs);
  *s = (struct settings){0};
}
