// Texts out of a request's body: what may be in a name, an address, a link. What is wrong is answered with 400 naming
// the field.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "auth_token.h"
#include "exchange.h"

// ---- pure ---------------------------------------------------------------------------------------

// Valid UTF-8 of `least` to `most` characters. One line: no control characters, none that turn the direction of the
// text around or break a line (a name stands in a list among others). NULL: fine; otherwise what must be.
const char *field_line_problem(const char *text);
const char *field_lines_problem(const char *text);  // tabs and line breaks may be in it
size_t field_characters(const char *text);

// Lower-cases into `ret`. 3 to 50 letters, digits, '-' and '_' with a letter or digit at both ends: it becomes the
// owner of custom resources and the value of a label.
bool field_username(const char *text, char ret[USERNAME_SIZE]);
bool field_is_email(const char *text);
bool field_is_link(const char *text);  // http:// or https:// and a host

// ---- from a request -----------------------------------------------------------------------------

struct field {
  const char *key;
  size_t least, most;  // characters, after blanks at both ends are gone
  bool required;
  bool lines;  // several
  bool raw;    // as it is, blanks too (passwords)
};
// true with *ret a heap text, or NULL when it is absent; JSON's null is "" where `least` is 0, else absent. false:
// answered.
bool field_text(struct exchange *x, const struct field *f, char **ret);
