// Small helpers on descriptors and folders. Names are relative to a folder's descriptor, and a link is never followed.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#include "fault.h"

void files_close(const int *fd);
#define cleanup_fd __attribute__((cleanup(files_close)))

// All of a file, at the end of `ret`: false with errno, or when it does not fit (ret->failed).
bool files_read(const char *path, struct str *ret);
bool files_write(int fd, const void *bytes, size_t length);  // all of it; errno on failure

// Removes `name` in the folder with everything below it; fine when it is not there. Links are removed, not followed.
bool files_remove(int folder, const char *name);

// A new, empty, private folder; -1 with a fault (transient: the disk is ours) otherwise.
int files_make_folder(int folder, const char *name, struct fault *f);

enum files_kind { FILES_NONE, FILES_REGULAR, FILES_FOLDER, FILES_LINK, FILES_OTHER };
enum files_kind files_kind(int folder, const char *name);

// A failed system call on our own disk, in words: full disk is refused (the source is too big for what builds get),
// anything else is transient.
bool files_fault(struct fault *f, const char *doing);
