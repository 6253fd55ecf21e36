// Reading and building JSON with json-c, bounded. Getters never fail: what is missing or of
// another type gives the default, so that a decoder reads straight down.
#pragma once

// json-c has a type of the name json_bool; the macro keeps the name free for us. So json-c is included here only.
#define json_bool json_c_bool
#include <json-c/json.h>
#undef json_bool
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

typedef struct json_object json;

// Parses a whole document (depth <= 64, no trailing bytes but white space). NULL and `e` on failure. json-c's
// leniency stays: keys in single quotes, raw control characters in strings, NaN, Infinity, "1.".
// The caller puts the reference (json_object_put).
json *json_parse(const char *text, size_t length, struct error *e);
// The same with every array and object empty that stands right behind `"KEY":`, whatever is in it, which costs next to
// nothing to read: for what is long and of no use here. At most four keys, ended by NULL, each of at most 50 bytes and
// with nothing to escape.
json *json_parse_without(const char *text, size_t length, const char *const *keys, struct error *e);
void json_put(json **j);
#define cleanup_json __attribute__((cleanup(json_put)))

// Path steps are object keys ended by NULL: json_at(o, "metadata", "name", NULL). Borrowed; NULL when absent.
json *json_at(json *o, ...) __attribute__((sentinel));

// Borrowed; NULL when absent, no string, or a string with a NUL inside.
const char *json_text(json *o, const char *key);
char *json_text_copy(json *o, const char *key);  // heap copy or NULL
int64_t json_int(json *o, const char *key, int64_t otherwise);
double json_double(json *o, const char *key, double otherwise);
bool json_bool(json *o, const char *key, bool otherwise);
msec json_time(json *o, const char *key);  // RFC 3339; 0 when absent
json *json_get(json *o, const char *key);  // any type; borrowed; NULL when absent or null
size_t json_length(json *array);           // 0 when no array
json *json_item(json *array, size_t i);

json *json_new_object(void);  // never NULL; the caller puts it
json *json_new_array(void);

// Building: each adds to object `o` (replacing the key) and does nothing for a NULL text / 0 time / a
// double that is not finite. Text that is no UTF-8 is repaired.
void json_add_text(json *o, const char *key, const char *text);
void json_add_int(json *o, const char *key, int64_t n);
void json_add_double(json *o, const char *key, double n);
void json_add_bool(json *o, const char *key, bool b);
void json_add_time(json *o, const char *key, msec t);
void json_add_micro_time(json *o, const char *key, msec t);
void json_add(json *o, const char *key, json *take_value);  // NULL is JSON's null (merge patches remove with it)
json *json_add_object(json *o, const char *key);            // new empty object inside; borrowed
json *json_add_array(json *o, const char *key);
void json_push(json *array, json *take_value);
void json_push_text(json *array, const char *text);
json *json_push_object(json *array);

// Compact text; heap, caller frees.
char *json_print(json *o);
