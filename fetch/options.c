#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

static const char USAGE[] =
    "fetch inline  --from FOLDER --to FOLDER\n"
    "fetch archive --url URL --sha256 HEX --format zip|tar.gz --to FOLDER\n"
    "fetch git     --url URL --ref REF [--path FOLDER] --to FOLDER\n"
    "fetch report  --from FILE [--db-metadata FILE] [--scanner-version TEXT]\n"
    "fetch layers  --cache HOST/NAME --to FOLDER\n"
    "fetch push    --from FOLDER --to HOST/NAME:TAG [--cache HOST/NAME]\n"
    "  --runtime-image IMAGE   base of the Dockerfile when the source has none\n"
    "  --front-url URL         uploads below this address come from the arena itself: no other server gets the token\n"
    "  --front-token-file FILE the token\n"
    "  --allow-cidr NETWORK    also fetch from this private network (repeatable, or separated by commas)\n"
    "  --max-bytes N           of the download, and of the source when unpacked (536870912)\n"
    "                          of an image (4294967296)\n"
    "  --max-files N           files, folders and links of the source (20000)\n"
    "  --timeout SECONDS       for everything (300)\n"
    "  --message-file FILE     where a failure's reason, or a pushed image's digest, goes (/dev/termination-log)\n"
    "  --credentials FILE      the registry's, a config.json of Docker's\n"
    "  --insecure              the registry speaks http, or https that is not verified\n";

enum option_id {
  OPTION_FROM = 256,
  OPTION_TO,
  OPTION_URL,
  OPTION_SHA256,
  OPTION_FORMAT,
  OPTION_REF,
  OPTION_PATH,
  OPTION_RUNTIME_IMAGE,
  OPTION_FRONT_URL,
  OPTION_FRONT_TOKEN_FILE,
  OPTION_ALLOW_CIDR,
  OPTION_MAX_BYTES,
  OPTION_MAX_FILES,
  OPTION_TIMEOUT,
  OPTION_MESSAGE_FILE,
  OPTION_DB_METADATA,
  OPTION_SCANNER_VERSION,
  OPTION_CACHE,
  OPTION_CREDENTIALS,
  OPTION_INSECURE,
  OPTION_HELP,
};

static const struct option LONG_OPTIONS[] = {
    {"from", required_argument, NULL, OPTION_FROM},
    {"to", required_argument, NULL, OPTION_TO},
    {"url", required_argument, NULL, OPTION_URL},
    {"sha256", required_argument, NULL, OPTION_SHA256},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"ref", required_argument, NULL, OPTION_REF},
    {"path", required_argument, NULL, OPTION_PATH},
    {"runtime-image", required_argument, NULL, OPTION_RUNTIME_IMAGE},
    {"front-url", required_argument, NULL, OPTION_FRONT_URL},
    {"front-token-file", required_argument, NULL, OPTION_FRONT_TOKEN_FILE},
    {"allow-cidr", required_argument, NULL, OPTION_ALLOW_CIDR},
    {"max-bytes", required_argument, NULL, OPTION_MAX_BYTES},
    {"max-files", required_argument, NULL, OPTION_MAX_FILES},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"message-file", required_argument, NULL, OPTION_MESSAGE_FILE},
    {"db-metadata", required_argument, NULL, OPTION_DB_METADATA},
    {"scanner-version", required_argument, NULL, OPTION_SCANNER_VERSION},
    {"cache", required_argument, NULL, OPTION_CACHE},
    {"credentials", required_argument, NULL, OPTION_CREDENTIALS},
    {"insecure", no_argument, NULL, OPTION_INSECURE},
    {"help", no_argument, NULL, OPTION_HELP},
    {0},
};

static bool wrong(const char *what, const char *value) {
  fprintf(stderr, "fetch: %s%s%s\n", what, value ? ": " : "", value ? value : "");
  return false;
}

static bool parse_number(const char *name, const char *text, long long min, long long max, long long *ret) {
  char *end;
  errno = 0;
  long long n = strtoll(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || n < min || n > max) {
    fprintf(stderr, "fetch: --%s must be a number from %lld to %lld, not %s\n", name, min, max, text);
    return false;
  }
  *ret = n;
  return true;
}

static bool parse_cidrs(struct options *o, const char *text) {
  while (*text) {
    char one[64];
    size_t length = strcspn(text, ",");
    if (length >= sizeof one || o->allowed_count == OPTIONS_CIDRS)
      return wrong("--allow-cidr has too much in it", text);
    memcpy(one, text, length);
    one[length] = '\0';
    if (length > 0 && !cidr_parse(one, &o->allowed[o->allowed_count++])) {
      return wrong("--allow-cidr is no network such as 10.0.0.0/8", one);
    }
    text += length + (text[length] == ',');
  }
  return true;
}

static bool parse_format(struct options *o, const char *text) {
  if (text_equal(text, "zip")) {
    o->format = UNPACK_ZIP;
  } else if (text_equal(text, "tar.gz")) {
    o->format = UNPACK_TAR_GZ;
  } else {
    return wrong("--format must be zip or tar.gz, not", text);
  }
  return true;
}

static bool parse_limit(struct options *o, int id, const char *text) {
  long long n;
  switch (id) {
    case OPTION_MAX_BYTES:
      if (!parse_number("max-bytes", text, 1, (long long)1 << 40, &n)) return false;
      o->limits.max_bytes = n;
      return true;
    case OPTION_MAX_FILES:
      if (!parse_number("max-files", text, 1, 10000000, &n)) return false;
      o->limits.max_files = (size_t)n;
      return true;
    default:
      if (!parse_number("timeout", text, 1, 86400, &n)) return false;
      o->timeout_seconds = (int)n;
      return true;
  }
}

static bool parse_option(struct options *o, int id, const char *text) {
  const char **const texts[] = {
      [OPTION_FROM - OPTION_FROM] = &o->from,
      [OPTION_TO - OPTION_FROM] = &o->to,
      [OPTION_URL - OPTION_FROM] = &o->url,
      [OPTION_SHA256 - OPTION_FROM] = &o->sha256,
      [OPTION_REF - OPTION_FROM] = &o->ref,
      [OPTION_PATH - OPTION_FROM] = &o->path,
      [OPTION_RUNTIME_IMAGE - OPTION_FROM] = &o->runtime_image,
      [OPTION_FRONT_URL - OPTION_FROM] = &o->front.url,
      [OPTION_FRONT_TOKEN_FILE - OPTION_FROM] = &o->front.token_file,
      [OPTION_MESSAGE_FILE - OPTION_FROM] = &o->message_file,
      [OPTION_DB_METADATA - OPTION_FROM] = &o->db_metadata,
      [OPTION_SCANNER_VERSION - OPTION_FROM] = &o->scanner_version,
      [OPTION_CACHE - OPTION_FROM] = &o->cache,
      [OPTION_CREDENTIALS - OPTION_FROM] = &o->registry.credentials,
  };
  switch (id) {
    case OPTION_FORMAT: return parse_format(o, text);
    case OPTION_ALLOW_CIDR: return parse_cidrs(o, text);
    case OPTION_INSECURE: o->registry.insecure = true; return true;
    case OPTION_MAX_BYTES:
    case OPTION_MAX_FILES:
    case OPTION_TIMEOUT: return parse_limit(o, id, text);
    default: *texts[id - OPTION_FROM] = text; return true;
  }
}

static bool is_sha256(const char *text) {
  if (strlen(text) != 64) return false;
  for (const char *c = text; *c; c++) {
    if (!isxdigit((unsigned char)*c)) return false;
  }
  return true;
}

// The image goes into a Dockerfile's ARG line as it is.
static bool is_image(const char *text) {
  for (const char *c = text; *c; c++) {
    if (!isalnum((unsigned char)*c) && !strchr("._-/:@", *c)) return false;
  }
  return true;
}

// host[:port]/name, and :tag where there has to be one. It becomes part of addresses.
static bool is_repository(const char *text, bool tagged) {
  const char *name = strchr(text, '/');
  const char *tag = name ? strrchr(name, ':') : NULL;
  bool whole = name && name > text && name[1] && (!tag || (tag > name + 1 && tag[1]));
  return whole && is_image(text) && !strchr(text, '@') && (tag != NULL) == tagged;
}

static bool check_registry(const struct options *o) {
  if (o->cache && !is_repository(o->cache, false)) return wrong("--cache is no repository", o->cache);
  if (o->mode == MODE_LAYERS) return o->cache || wrong("--cache is missing", NULL);
  return is_repository(o->to, true) || wrong("--to is no repository with a tag", o->to);
}

static bool check(const struct options *o, bool format_given) {
  if (o->runtime_image && !is_image(o->runtime_image))
    return wrong("--runtime-image is no image reference", o->runtime_image);
  if (o->mode != MODE_REPORT && !o->to) return wrong("--to is missing", NULL);
  switch (o->mode) {
    case MODE_INLINE:
    case MODE_REPORT: return o->from || wrong("--from is missing", NULL);
    case MODE_ARCHIVE:
      if (!o->url || !o->sha256 || !format_given) return wrong("--url, --sha256 and --format are needed", NULL);
      if (o->front.url && !o->front.token_file) return wrong("--front-token-file is missing", NULL);
      return is_sha256(o->sha256) || wrong("--sha256 must be 64 hex digits", NULL);
    case MODE_GIT: return (o->url && o->ref) || wrong("--url and --ref are needed", NULL);
    case MODE_LAYERS: return check_registry(o);
    case MODE_PUSH: return o->from ? check_registry(o) : wrong("--from is missing", NULL);
  }
  return false;
}

bool options_parse(int argc, char **argv, struct options *ret) {
  static const char *const MODES[] = {"inline", "archive", "git", "report", "layers", "push"};
  struct options o = {.limits = {.max_bytes = 512 << 20, .max_files = 20000}, .timeout_seconds = 300};
  size_t mode = 0;
  while (argc > 1 && mode < array_size(MODES) && !text_equal(argv[1], MODES[mode])) mode++;
  if (argc < 2 || mode == array_size(MODES)) {
    fputs(USAGE, stderr);
    return false;
  }
  o.mode = (enum mode)mode;
  if (o.mode == MODE_PUSH) o.limits.max_bytes = (int64_t)4 << 30;
  bool format_given = false;
  optind = 2;
  for (int id; (id = getopt_long(argc, argv, "", LONG_OPTIONS, NULL)) != -1;) {
    if (id == OPTION_HELP || id == '?') {
      fputs(USAGE, stderr);
      return false;
    }
    format_given |= id == OPTION_FORMAT;
    if (!parse_option(&o, id, optarg)) return false;
  }
  if (optind != argc) return wrong("unexpected argument", argv[optind]);
  if (!check(&o, format_given)) return false;
  o.registry.deadline = clock_monotonic() + (msec)o.timeout_seconds * 1000;
  *ret = o;
  return true;
}
