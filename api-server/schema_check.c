#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

#include "router.h"
#include "schema_parts.h"

enum { FIELD_MAX = 128 };

struct check {
  struct str *field, *why;
};

static bool check(const struct check *c, const struct schema *s, json *value);

static bool refuse(const struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(const struct check *c, const char *format, ...) {
  if (!c) return false;
  va_list args;
  va_start(args, format);
  str_clear(c->why);
  str_add_vformat(c->why, format, args);
  va_end(args);
  return false;
}

static const char *plural(double n) {
  return n == 1 ? "" : "s";
}

// ---- texts -----------------------------------------------------------------------------------------

static size_t characters(const char *text) {
  size_t count = 0;
  for (; *text; text++) count += ((unsigned char)*text & 0xC0) != 0x80;
  return count;
}

static bool is_email(const char *text) {
  const char *at = strrchr(text, '@');
  if (!at || at == text || !strchr(at, '.') || at[1] == '.' || text[strlen(text) - 1] == '.') return false;
  for (; *text; text++)
    if ((unsigned char)*text <= ' ' || *text == 0x7F || strchr("<>(),;:\"\\", *text)) return false;
  return true;
}

static bool is_uri(const char *text) {
  const char *colon = strstr(text, "://");
  if (!colon || colon == text || !colon[3]) return false;
  for (; *text; text++)
    if ((unsigned char)*text <= ' ' || *text == 0x7F || strchr("<>\"\\^`{|}", *text)) return false;
  return true;
}

static bool check_format(const struct check *c, enum schema_format format, const char *text) {
  switch (format) {
    case FORMAT_UUID: return text_is_uuid(text) || refuse(c, "must be a UUID");
    case FORMAT_EMAIL: return is_email(text) || refuse(c, "must be an e-mail address");
    case FORMAT_URI: return is_uri(text) || refuse(c, "must be a URL such as https://example.com/file.zip");
    case FORMAT_TIME: return clock_parse(text) != 0 || refuse(c, "must be a time such as 2026-01-02T03:04:05Z");
    case FORMAT_NONE:
    case FORMAT_OTHER: break;
  }
  return true;
}

static bool check_text(const struct check *c, const struct schema *s, json *value) {
  const char *text = json_object_get_string(value);
  if (strlen(text) != (size_t)json_object_get_string_len(value)) return refuse(c, "must not have a NUL character");
  if (text_utf8_prefix(text, strlen(text)) != strlen(text)) return refuse(c, "must be UTF-8");
  double count = (double)characters(text);
  if (s->min_length.set && count < s->min_length.value) {
    if (s->min_length.value == 1) return refuse(c, "must not be empty");
    return refuse(c, "must have at least %.0f character%s", s->min_length.value, plural(s->min_length.value));
  }
  if (s->max_length.set && count > s->max_length.value)
    return refuse(c, "must have at most %.0f character%s", s->max_length.value, plural(s->max_length.value));
  if (s->has_pattern && regexec(&s->pattern, text, 0, NULL, 0) != 0)
    return s->description ? refuse(c, "must be: %s", s->description)
                          : refuse(c, "has characters or a form that are not allowed");
  return check_format(c, s->format, text);
}

// ---- numbers, lists, objects -------------------------------------------------------------------------

static bool check_number(const struct check *c, const struct schema *s, json *value) {
  double n = json_object_get_double(value);
  if (!isfinite(n)) return refuse(c, "must be a number");
  if (s->minimum.set && n < s->minimum.value) return refuse(c, "must be at least %.15g", s->minimum.value);
  if (s->maximum.set && n > s->maximum.value) return refuse(c, "must be at most %.15g", s->maximum.value);
  return true;
}

static bool check_items(const struct check *c, const struct schema *s, json *value) {
  double count = (double)json_length(value);
  if (s->min_items.set && count < s->min_items.value)
    return refuse(c, "must have at least %.0f item%s", s->min_items.value, plural(s->min_items.value));
  if (s->max_items.set && count > s->max_items.value)
    return refuse(c, "must have at most %.0f item%s", s->max_items.value, plural(s->max_items.value));
  for (size_t i = 0; s->items && i < json_length(value); i++) {
    struct str before = {0};
    if (c) {
      before = STR_INIT(FIELD_MAX);
      str_add(&before, str_text(c->field));
      str_add_format(c->field, "[%zu]", i);
    }
    bool good = check(c, s->items, json_item(value, i));
    if (c && good) {
      str_clear(c->field);
      str_add(c->field, str_text(&before));
    }
    str_done(&before);
    if (!good) return false;
  }
  return true;
}

// Checks one member; its name is in front of what is wrong.
static bool check_member(const struct check *c, const struct schema *s, const char *name, json *value) {
  if (!c) return check(NULL, s, value);
  size_t length = c->field->length;
  str_add_format(c->field, "%s%s", length ? "." : "", name);
  if (!check(c, s, value)) return false;
  if (length == 0) {
    str_clear(c->field);
  } else if (!c->field->failed) {
    c->field->data[length] = '\0';
    c->field->length = length;
  }
  return true;
}

static const struct property *find_property(const struct schema *s, const char *name) {
  for (unsigned i = 0; i < s->property_count; i++)
    if (text_equal(s->properties[i].name, name)) return &s->properties[i];
  return NULL;
}

static void name_member(const struct check *c, const char *name) {
  if (!c) return;
  if (c->field->length) str_add(c->field, ".");
  str_add_utf8(c->field, name, strnlen(name, 64));
}

static bool check_members(const struct check *c, const struct schema *s, json *value) {
  for (unsigned i = 0; i < s->property_count; i++) {
    if (!s->properties[i].required || json_object_object_get_ex(value, s->properties[i].name, NULL)) continue;
    name_member(c, s->properties[i].name);
    return refuse(c, "is missing");
  }
  double count = json_object_object_length(value);
  if (s->min_properties.set && count < s->min_properties.value)
    return refuse(c, "must have at least %.0f field%s", s->min_properties.value, plural(s->min_properties.value));
  if (s->max_properties.set && count > s->max_properties.value)
    return refuse(c, "must have at most %.0f field%s", s->max_properties.value, plural(s->max_properties.value));
  json_object_object_foreach(value, name, member) {
    const struct property *p = find_property(s, name);
    if (!p && s->closed) {
      name_member(c, name);
      return refuse(c, "is not known here");
    }
    const struct schema *expected = p ? p->schema : s->additional;
    if (expected && !check_member(c, expected, name, member)) return false;
  }
  return true;
}

// ---- any value ---------------------------------------------------------------------------------------

static unsigned type_of(json *value) {
  switch (json_object_get_type(value)) {
    case json_type_object: return TYPE_OBJECT;
    case json_type_array: return TYPE_ARRAY;
    case json_type_string: return TYPE_STRING;
    case json_type_int: return TYPE_INTEGER | TYPE_NUMBER;
    case json_type_double: {
      double n = json_object_get_double(value);
      return n == floor(n) && fabs(n) < 9e15 ? TYPE_INTEGER | TYPE_NUMBER : TYPE_NUMBER;
    }
    case json_type_boolean: return TYPE_BOOLEAN;
    case json_type_null: break;
  }
  return TYPE_NULL;
}

static const char *type_words(unsigned types) {
  if (types & TYPE_OBJECT) return "an object";
  if (types & TYPE_ARRAY) return "a list";
  if (types & TYPE_STRING) return "a text";
  if (types & TYPE_INTEGER) return "a whole number";
  if (types & TYPE_NUMBER) return "a number";
  if (types & TYPE_BOOLEAN) return "true or false";
  return "null";
}

static bool check_words(const struct check *c, const struct schema *s, json *value) {
  for (size_t i = 0; i < json_length(s->words); i++)
    if (json_object_equal(json_item(s->words, i), value)) return true;
  struct str list = STR_INIT(SCHEMA_WHY_MAX - 32);
  for (size_t i = 0; i < json_length(s->words); i++)
    str_add_format(&list, "%s%s", i ? ", " : "", json_object_get_string(json_item(s->words, i)));
  refuse(c, "must be one of: %s", str_text(&list));
  str_done(&list);
  return false;
}

static bool check_alternatives(const struct check *c, const struct schema *s, json *value) {
  unsigned fitting = 0;
  for (unsigned i = 0; i < s->alternative_count; i++) fitting += check(NULL, s->alternatives[i], value);
  if (fitting == 1 || (fitting > 1 && !s->exactly_one)) return true;
  // The first one is the usual one: what it lacks says more than that there are several.
  if (fitting == 0) return check(c, s->alternatives[0], value);
  return refuse(c, "fits more than one of the forms that are possible here");
}

static bool check(const struct check *c, const struct schema *s, json *value) {
  if (s->reference && !check(c, schemas_find(s->all, s->reference), value)) return false;
  unsigned type = type_of(value);
  if (s->types && !(type & s->types)) return refuse(c, "must be %s", type_words(s->types));
  if (s->words && !check_words(c, s, value)) return false;
  if ((type & TYPE_STRING) && !check_text(c, s, value)) return false;
  if ((type & TYPE_NUMBER) && !check_number(c, s, value)) return false;
  if ((type & TYPE_ARRAY) && !check_items(c, s, value)) return false;
  if ((type & TYPE_OBJECT) && !check_members(c, s, value)) return false;
  return s->alternative_count == 0 || check_alternatives(c, s, value);
}

bool schema_check(const struct schema *s, json *value, struct str *ret_field, struct str *ret_why) {
  struct check c = {.field = ret_field, .why = ret_why};
  return check(&c, s, value);
}

static json *read_text(const struct schema *s, const char *text) {
  if (s->types & (TYPE_INTEGER | TYPE_NUMBER)) {
    char *end;
    size_t digits = strspn(text + (*text == '-'), "0123456789");
    if (digits > 0 && digits <= 18 && text[(*text == '-') + digits] == '\0')
      return json_object_new_int64(strtoll(text, NULL, 10));
    double n = strtod(text, &end);
    bool begins = *text == '-' || (*text >= '0' && *text <= '9');
    if (begins && *end == '\0' && isfinite(n) && !strpbrk(text, "xXpP ")) return json_object_new_double(n);
  }
  if (s->types & TYPE_BOOLEAN) {
    if (text_equal(text, "true") || text_equal(text, "1")) return json_object_new_boolean(1);
    if (text_equal(text, "false") || text_equal(text, "0")) return json_object_new_boolean(0);
  }
  return json_object_new_string(text);
}

bool schema_check_text(const struct schema *s, const char *text, struct str *ret_why) {
  struct str field = STR_INIT(FIELD_MAX);
  cleanup_json json *value = mem_must(read_text(s, text));
  bool good = schema_check(s, value, &field, ret_why);
  str_done(&field);
  return good;
}
