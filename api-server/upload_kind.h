// What an uploaded file is: judged by its first bytes and its name together. Pure.
#pragma once

#include <stddef.h>

enum upload_kind { UPLOAD_PYTHON, UPLOAD_ZIP, UPLOAD_TAR_GZ, UPLOAD_UNKNOWN };

enum { UPLOAD_HEAD = 512 };  // so many bytes of the file are enough

// `problem` is set with UPLOAD_UNKNOWN: a sentence for the author.
enum upload_kind upload_kind_of(const char *filename, const void *head, size_t length, const char **ret_problem);
// "zip" or "tar.gz" by the end of a URL's path; NULL: neither.
const char *upload_format_of_url(const char *url);
