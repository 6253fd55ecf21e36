// One table: variable, default, where it goes, and what may be in it.
#include "settings.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

enum { VALUE_MAX = 8192, SHOWN_MAX = 80, SECRET_MIN = 32 };

typedef bool check_fn(const char *value);
enum store { STORE_TEXT, STORE_URL, STORE_BOOL, STORE_NUMBER, STORE_LEVEL, STORE_FORMAT };

struct setting {
  const char *variable;
  const char *otherwise;  // NULL: must be set; "": none
  enum store store;
  size_t offset;
  check_fn *check;
  const char *expected;  // how a right value looks, for the error line
  int64_t least, most;   // of numbers
};

// ---- what a value may look like ------------------------------------------------------------------

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool only(const char *text, const char *allowed) {
  return *text && text[strspn(text, allowed)] == '\0';
}

static bool is_label(const char *v) {
  size_t length = strlen(v);
  return length <= 63 && only(v, LOWER DIGITS "-") && v[0] != '-' && v[length - 1] != '-';
}

static bool is_object_name(const char *v) {
  size_t length = strlen(v);
  return length <= 253 && only(v, LOWER DIGITS "-.") && isalnum((unsigned char)v[0]) &&
         isalnum((unsigned char)v[length - 1]);
}

static bool is_word(const char *v) {
  for (; *v; v++)
    if (*v <= ' ' || *v >= 0x7F) return false;
  return true;
}

static bool is_url(const char *v) {
  const char *host = text_starts(v, "https://") ? v + 8 : text_starts(v, "http://") ? v + 7 : NULL;
  return host && (isalnum((unsigned char)*host) || *host == '[') && is_word(host);
}

static bool is_database(const char *v) {
  return text_starts(v, "postgresql://") || text_starts(v, "postgres://");
}

static bool is_listen_address(const char *v) {
  const char *colon = strrchr(v, ':');
  if (!colon || colon == v || !only(colon + 1, DIGITS) || strlen(colon + 1) > 5 || atoi(colon + 1) > 65535)
    return false;
  char host[INET6_ADDRSTRLEN + 2];
  size_t length = (size_t)(colon - v);
  if (length >= sizeof(host)) return false;
  memcpy(host, v, length);
  host[length] = '\0';
  struct in6_addr parsed;
  if (host[0] != '[') return inet_pton(AF_INET, host, &parsed) == 1;
  if (host[length - 1] != ']') return false;
  host[length - 1] = '\0';
  return inet_pton(AF_INET6, host + 1, &parsed) == 1;
}

static bool is_secret(const char *v) {
  return strlen(v) >= SECRET_MIN;
}

// Each item of a comma list; blanks around it do not count.
static bool each_item(const char *list, check_fn *check) {
  cleanup_free char *copy = mem_strdup(list);
  char *rest = copy;
  for (char *item; (item = strsep(&rest, ",")) != NULL;) {
    while (*item == ' ') item++;
    item[strcspn(item, " ")] = '\0';
    if (*item && !check(item)) return false;
  }
  return true;
}

static bool is_network(const char *v) {
  char address[INET6_ADDRSTRLEN];
  size_t length = strcspn(v, "/");
  if (length >= sizeof(address)) return false;
  memcpy(address, v, length);
  address[length] = '\0';
  struct in6_addr parsed;
  int most = inet_pton(AF_INET, address, &parsed) == 1 ? 32 : inet_pton(AF_INET6, address, &parsed) == 1 ? 128 : -1;
  if (most < 0) return false;
  if (v[length] == '\0') return true;
  return only(v + length + 1, DIGITS) && strlen(v + length + 1) <= 3 && atoi(v + length + 1) <= most;
}

static bool are_networks(const char *v) {
  return each_item(v, is_network);
}

static bool is_origin(const char *v) {
  return is_url(v) && !strchr(strstr(v, "://") + 3, '/') && !strchr(v, '@');
}

static bool are_origins(const char *v) {
  return each_item(v, is_origin);
}

static bool is_account(const char *v) {
  const char *colon = strchr(v, ':');
  return colon && colon != v && colon[1] && !strchr(colon + 1, ':') && only(v, LOWER DIGITS "-.:");
}

static bool are_accounts(const char *v) {
  return each_item(v, is_account);
}

static bool is_store(const char *v) {
  return text_equal(v, "postgres") || (text_starts(v, "s3://") && isalnum((unsigned char)v[5]));
}

static bool is_file(const char *v) {
  return access(v, R_OK) == 0;
}

static bool is_folder(const char *v) {
  struct stat found;
  return stat(v, &found) == 0 && S_ISDIR(found.st_mode);
}

static bool is_token(const char *v) {
  const size_t length = strlen(v);
  return is_word(v) && length >= SECRET_MIN && length <= 512;
}

static bool is_bool(const char *v) {
  return text_equal(v, "true") || text_equal(v, "false");
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
#define URL_OF "an http:// or https:// address"
#define LISTEN_OF "address:port such as 0.0.0.0:8080 or [::]:8080"
#define NETWORKS_OF "a comma-separated list of networks such as 10.0.0.0/8,fd00::/8"
#define ACCOUNTS_OF "a comma-separated list of namespace:serviceaccount"
#define BOOL_OF "true or false"
#define WORD_OF "printable characters without blanks"
#define AT(field) offsetof(struct settings, field)
#define NUMBER(variable, otherwise, field, least, most) \
  { variable, otherwise, STORE_NUMBER, AT(field), NULL, "a whole number from " #least " to " #most, least, most }

static const struct setting table[] = {
    {"LISTEN_ADDRESS", "0.0.0.0:8080", STORE_TEXT, AT(listen_address), is_listen_address, LISTEN_OF, 0, 0},
    {"INTERNAL_LISTEN_ADDRESS", "0.0.0.0:8081", STORE_TEXT, AT(internal_listen_address), is_listen_address, LISTEN_OF,
     0, 0},
    {"DATABASE_URL", NULL, STORE_TEXT, AT(database_url), is_database, "a postgresql:// address", 0, 0},
    NUMBER("DATABASE_CONNECTIONS", "8", database_connections, 1, 100),
    {"JWT_SECRET", NULL, STORE_TEXT, AT(jwt_secret), is_secret, "at least 32 bytes that nobody can guess", 0, 0},
    {"USE_K8S", "true", STORE_BOOL, AT(use_k8s), is_bool, BOOL_OF, 0, 0},
    {"K8S_NAMESPACE", "rl-arena", STORE_TEXT, AT(namespace), is_label, NAME_OF, 0, 0},
    {"POD_NAMESPACE", "rl-arena-system", STORE_TEXT, AT(pod_namespace), is_label, NAME_OF, 0, 0},
    {"POD_NAME", "", STORE_TEXT, AT(pod_name), is_object_name, NAME_OF, 0, 0},
    {"ALLOWED_ORIGINS", "", STORE_TEXT, AT(allowed_origins), are_origins,
     "a comma-separated list of origins such as https://arena.example.com", 0, 0},
    {"TRUSTED_PROXIES", "", STORE_TEXT, AT(trusted_proxies), are_networks, NETWORKS_OF, 0, 0},
    {"PUBLIC_URL", "", STORE_URL, AT(public_url), is_url, URL_OF, 0, 0},
    {"INTERNAL_URL", "http://api-server.rl-arena-system.svc:8081", STORE_URL, AT(internal_url), is_url, URL_OF, 0, 0},
    {"TLS_CERT_FILE", "", STORE_TEXT, AT(tls_cert_file), is_file, "a file that can be read", 0, 0},
    {"TLS_KEY_FILE", "", STORE_TEXT, AT(tls_key_file), is_file, "a file that can be read", 0, 0},
    NUMBER("MAX_UPLOAD_BYTES", "52428800", max_upload_bytes, 1024, 1073741824),
    NUMBER("PASSWORD_MIN", "8", password_min, 6, 64),
    NUMBER("RATE_AUTH", "5", rate_auth, 1, 1000000),
    NUMBER("RATE_SUBMISSION", "5", rate_submission, 1, 1000000),
    NUMBER("RATE_MATCH", "10", rate_match, 1, 1000000),
    NUMBER("RATE_REPLAY", "20", rate_replay, 1, 1000000),
    NUMBER("RATE_GENERAL", "60", rate_general, 1, 1000000),
    NUMBER("SUBMISSIONS_PER_DAY", "5", submissions_per_day, 1, 1000000),
    NUMBER("CONNECTIONS_MAX", "12000", connections_max, 10, 1000000),
    NUMBER("CONNECTIONS_PER_ADDRESS", "500", connections_per_address, 1, 1000000),
    {"BLOB_STORE", "postgres", STORE_TEXT, AT(blob_store), is_store, "postgres or s3://bucket[/prefix]", 0, 0},
    {"S3_ENDPOINT", "", STORE_URL, AT(s3_endpoint), is_url, URL_OF, 0, 0},
    {"S3_REGION", "us-east-1", STORE_TEXT, AT(s3_region), is_word, WORD_OF, 0, 0},
    {"S3_ACCESS_KEY_ID", "", STORE_TEXT, AT(s3_access_key_id), is_word, WORD_OF, 0, 0},
    {"S3_SECRET_ACCESS_KEY", "", STORE_TEXT, AT(s3_secret_access_key), is_word, WORD_OF, 0, 0},
    {"FETCH_USERS", "rl-arena:fetch", STORE_TEXT, AT(fetch_users), are_accounts, ACCOUNTS_OF, 0, 0},
    {"REPLAY_USERS", "rl-arena-system:executor", STORE_TEXT, AT(replay_users), are_accounts, ACCOUNTS_OF, 0, 0},
    {"FETCH_ALLOW_CIDRS", "", STORE_TEXT, AT(fetch_allow_cidrs), are_networks, NETWORKS_OF, 0, 0},
    {"EXECUTOR_URL", "", STORE_URL, AT(executor_url), is_url, URL_OF, 0, 0},
    {"EXECUTOR_TOKEN", "", STORE_TEXT, AT(executor_token), is_token, "32 to 512 printable characters without blanks", 0,
     0},
    {"WEB_ROOT", "", STORE_TEXT, AT(web_root), is_folder, "a folder", 0, 0},
    {"LOG_FORMAT", "json", STORE_FORMAT, AT(log_format), is_format, "json or text", 0, 0},
    {"LOG_LEVEL", "info", STORE_LEVEL, AT(log_level), is_level, "debug, info, warn or error", 0, 0},
};

const char *settings_variable(unsigned i, const char **ret_default) {
  if (i >= array_size(table)) return NULL;
  *ret_default = table[i].otherwise;
  return table[i].variable;
}

// ---- reading -------------------------------------------------------------------------------------

static bool is_private(const struct setting *s, const char *value) {
  return strstr(s->variable, "SECRET") || strstr(s->variable, "TOKEN") ||
         (strchr(value, '@') && strstr(value, "://")) || text_equal(s->variable, "DATABASE_URL");
}

static enum error_code refuse(const struct setting *s, const char *value, struct error *e) {
  if (is_private(s, value))
    return error_set(e, ERR_INVALID,
                     "%s must be %s; it holds something else (not shown: it is a secret or may have one)", s->variable,
                     s->expected);
  bool cut = strlen(value) > SHOWN_MAX;
  return error_set(e, ERR_INVALID, "%s is \"%.*s%s\", but must be %s", s->variable, SHOWN_MAX, value, cut ? "..." : "",
                   s->expected);
}

static bool store_number(const struct setting *s, const char *value, int64_t *ret) {
  if (!only(value, DIGITS) || strlen(value) > 15) return false;
  int64_t n = strtoll(value, NULL, 10);
  if (n < s->least || n > s->most) return false;
  *ret = n;
  return true;
}

static char *without_last_slashes(const char *value) {
  size_t length = strlen(value);
  while (length > 0 && value[length - 1] == '/') length--;
  return mem_strndup(value, length);
}

static enum error_code store(struct settings *ret, const struct setting *s, const char *value, struct error *e) {
  void *field = (char *)ret + s->offset;
  if (strlen(value) > VALUE_MAX) return error_set(e, ERR_INVALID, "%s is longer than %d bytes", s->variable, VALUE_MAX);
  if (s->check && !s->check(value)) return refuse(s, value, e);
  switch (s->store) {
    case STORE_TEXT: *(char **)field = mem_strdup(value); break;
    case STORE_URL: *(char **)field = without_last_slashes(value); break;
    case STORE_BOOL: *(bool *)field = text_equal(value, "true"); break;
    case STORE_LEVEL: *(int *)field = word_index(levels, array_size(levels), value); break;
    case STORE_FORMAT: *(int *)field = word_index(formats, array_size(formats), value); break;
    case STORE_NUMBER:
      if (!store_number(s, value, field)) return refuse(s, value, e);
      break;
  }
  return ERR_NONE;
}

// Outside a Pod nobody says its name; the host's is as good to tell lease holders apart.
static char *host_name(void) {
  char name[254] = "";
  if (gethostname(name, sizeof(name) - 1) != 0 || !name[0]) return mem_strdup("api-server");
  return mem_strdup(name);
}

// What only makes sense together.
static enum error_code check_pairs(const struct settings *s, struct error *e) {
  if (!s->tls_cert_file != !s->tls_key_file)
    return error_set(e, ERR_INVALID, "TLS_CERT_FILE and TLS_KEY_FILE belong together: set both or none");
  if (text_starts(s->blob_store, "s3://") && (!s->s3_endpoint || !s->s3_access_key_id || !s->s3_secret_access_key))
    return error_set(e, ERR_INVALID,
                     "BLOB_STORE is in S3: set S3_ENDPOINT, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY as well");
  return ERR_NONE;
}

enum error_code settings_load(struct settings *ret, struct error *e) {
  struct settings s = {0};
  enum error_code code = ERR_NONE;
  for (unsigned i = 0; i < array_size(table) && code == ERR_NONE; i++) {
    // Empty counts as not set: manifests clear a variable that way.
    const char *value = getenv(table[i].variable);
    if (text_empty(value)) value = table[i].otherwise;
    if (!value)
      code = error_set(e, ERR_INVALID, "%s is not set; it must be %s", table[i].variable, table[i].expected);
    else if (*value)
      code = store(&s, &table[i], value, e);
  }
  if (code == ERR_NONE) code = check_pairs(&s, e);
  if (code) {
    settings_done(&s);
    return code;
  }
  if (!s.pod_name) s.pod_name = host_name();
  *ret = s;
  return ERR_NONE;
}

void settings_done(struct settings *s) {
  for (unsigned i = 0; i < array_size(table); i++)
    if (table[i].store == STORE_TEXT || table[i].store == STORE_URL) free(*(char **)((char *)s + table[i].offset));
  *s = (struct settings){0};
}
