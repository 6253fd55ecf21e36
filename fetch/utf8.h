// The little that fetch needs to know about UTF-8: is it valid, is it fit to be shown, where may it be cut.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Length (1..4) of the well-formed sequence at `text`, 0 when there is none (overlong forms, surrogates and
// what lies beyond U+10FFFF are not well-formed).
size_t utf8_sequence(const char *text, size_t length);

// Like utf8_sequence, but 0 as well for what must not be shown as it is: control characters, line and paragraph
// separators, and the marks that reorder or hide text (bidirectional controls, zero width).
size_t utf8_printable(const char *text, size_t length);

bool utf8_valid(const char *text, size_t length);

// The largest n <= length at which well-formed text can be cut without splitting a character.
size_t utf8_cut(const char *text, size_t length);
