#include "unpack.h"

#include <inttypes.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "progress.h"

// A small archive that unpacks to much is refused early; beyond this size and factor nothing honest is seen.
static const int64_t BOMB_BYTES = 32 << 20;
static const int64_t BOMB_FACTOR = 250;
enum { READ_BYTES = 64 << 10 };

// libarchive converts names into the locale's character set, and drops the ones that it cannot convert. The image has
// no locales, so that everything beyond ASCII would be lost. Names are to stay the bytes that they are (path.c accepts
// only UTF-8): this answers libarchive, and everyone else in the process, that the character set is UTF-8.
char *nl_langinfo(nl_item item) {
  static char utf8[] = "UTF-8", nothing[] = "";
  return item == CODESET ? utf8 : nothing;
}

static bool malformed(struct archive *a, struct fault *f) {
  const char *text = archive_error_string(a);
  char quoted[FAULT_QUOTE_SIZE];
  return fault_refuse(f, "BadArchive",
                      "The archive cannot be read (%s). Pack it again, and check the format in the submission.",
                      fault_quote(text, quoted));
}

static struct archive *open_archive(int fd, enum unpack_format format, struct fault *f) {
  struct archive *a = archive_read_new();
  if (!a) abort();
  if (format == UNPACK_ZIP) {
    archive_read_support_filter_none(a);
    archive_read_support_format_zip_seekable(a);
  } else {
    archive_read_support_filter_gzip(a);
    archive_read_support_format_tar(a);
  }
  if (archive_read_open_fd(a, fd, READ_BYTES) != ARCHIVE_OK) {
    malformed(a, f);
    archive_read_free(a);
    return NULL;
  }
  // libarchive reads a plain tar and one compressed twice as gladly: neither is what was said. The last filter is
  // "none".
  if (format == UNPACK_TAR_GZ && (archive_filter_count(a) != 2 || archive_filter_code(a, 0) != ARCHIVE_FILTER_GZIP)) {
    fault_refuse(f, "BadArchive",
                 "The archive is not compressed by gzip, once. Pack it as tar.gz, or as a zip with format: zip.");
    archive_read_free(a);
    return NULL;
  }
  return a;
}

static bool check_ratio(struct archive *a, const struct tree *into, struct fault *f) {
  int64_t out = tree_bytes(into), in = archive_filter_bytes(a, -1);
  if (out < BOMB_BYTES || in <= 0 || out / in < BOMB_FACTOR) return true;
  return fault_refuse(f, "ArchiveBomb",
                      "The archive unpacks to more than %" PRId64 " times its size. Leave out files that are padding.",
                      BOMB_FACTOR);
}

static bool unpack_data(struct archive *a, struct tree *into, struct fault *f) {
  for (;;) {
    const void *bytes;
    size_t length;
    int64_t offset;
    int r = archive_read_data_block(a, &bytes, &length, &offset);
    if (r == ARCHIVE_EOF) {
      // The last block of a sparse file tells only where it ends.
      return offset <= 0 || tree_write_at(into, offset, "", 0, f);
    }
    if (r != ARCHIVE_OK) return malformed(a, f);
    if (length > 0 && !tree_write_at(into, offset, bytes, length, f)) return false;
    if (!check_ratio(a, into, f)) return false;
    progress_unpacked(tree_count(into), tree_bytes(into));
  }
}

static bool refuse_kind(const char *name, const char *what, struct fault *f) {
  char quoted[FAULT_QUOTE_SIZE];
  return fault_refuse(f, "UnsafeFile",
                      "%s in the archive is %s; only files, folders and links inside the source are accepted.",
                      fault_quote(name, quoted), what);
}

static bool unpack_file(struct archive *a, struct archive_entry *entry, const char *name, struct tree *into,
                        struct fault *f) {
  bool executable = (archive_entry_perm(entry) & S_IXUSR) != 0;
  return tree_file(into, name, executable, f) && unpack_data(a, into, f) && tree_file_end(into, f);
}

static bool unpack_entry(struct archive *a, struct archive_entry *entry, struct tree *into, struct fault *f) {
  const char *name = archive_entry_pathname(entry);
  if (!name)
    return fault_refuse(f, "UnsafePath", "A name in the archive is not valid UTF-8. Rename it and pack again.");
  if (archive_entry_is_encrypted(entry)) {
    return fault_refuse(f, "Encrypted", "The archive is encrypted. Pack it without a password.");
  }
  if (archive_entry_hardlink(entry)) {
    return refuse_kind(name, "a hard link; pack it again without (tar --hard-dereference)", f);
  }
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG: return unpack_file(a, entry, name, into, f);
    case AE_IFDIR: return tree_folder(into, name, f);
    case AE_IFLNK: {
      const char *target = archive_entry_symlink(entry);
      return tree_link(into, name, target ? target : "", f);
    }
    case AE_IFCHR:
    case AE_IFBLK: return refuse_kind(name, "a device", f);
    case AE_IFIFO: return refuse_kind(name, "a named pipe", f);
    case AE_IFSOCK: return refuse_kind(name, "a socket", f);
    default: return refuse_kind(name, "of an unknown kind", f);
  }
}

bool unpack_archive(int fd, enum unpack_format format, struct tree *into, struct fault *f) {
  struct archive *a = open_archive(fd, format, f);
  if (!a) return false;
  bool ok = true;
  for (;;) {
    struct archive_entry *entry;
    int r = archive_read_next_header(a, &entry);
    if (r == ARCHIVE_EOF) break;
    // A warning is about an attribute that could not be read as it was meant; a name lost that way is missing.
    if (r != ARCHIVE_OK && r != ARCHIVE_WARN) {
      ok = malformed(a, f);
      break;
    }
    ok = unpack_entry(a, entry, into, f);
    if (!ok) break;
  }
  archive_read_free(a);
  return ok;
}
