// One line for each event: JSON, or text on a terminal. The message is a constant; what varies
// goes into key/value pairs. Secrets are never given to it.
#pragma once

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_JSON, LOG_TEXT };

void log_setup(enum log_level level, enum log_format format);

// Pairs of key (const char *) and value (const char *, NULL is shown as ""), ended by NULL:
// log_event(LOG_INFO, "match rated", "match", name, NULL);
void log_event(enum log_level level, const char *message, ...) __attribute__((sentinel));

#define log_debug(...) log_event(LOG_DEBUG, __VA_ARGS__, NULL)
#define log_info(...) log_event(LOG_INFO, __VA_ARGS__, NULL)
#define log_warn(...) log_event(LOG_WARN, __VA_ARGS__, NULL)
#define log_error(...) log_event(LOG_ERROR, __VA_ARGS__, NULL)

enum { LOG_NUMBER_SIZE = 24 };
// A number as text for a pair; returns ret.
const char *log_number(int64_t n, char ret[LOG_NUMBER_SIZE]);
