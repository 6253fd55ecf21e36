// The archive of one file, read by libarchive as fetch does it: whole, whatever the pieces it was made of.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

#include "zip_one.h"

static void keep(void *context, const void *bytes, size_t length) {
  str_add_bytes(context, bytes, length);
}

static void pack(struct str *ret, const char *bytes, size_t length, size_t piece) {
  struct zip_one *z = zip_one_new("agent.py", keep, ret);
  for (size_t at = 0; at < length; at += piece) zip_one_write(z, bytes + at, length - at < piece ? length - at : piece);
  zip_one_end(z);
  zip_one_free(z);
  assert_false(ret->failed);
}

static void assert_holds(const struct str *zip, const char *bytes, size_t length) {
  struct archive *a = archive_read_new();
  struct archive_entry *entry;
  archive_read_support_format_zip_seekable(a);
  assert_int_equal(archive_read_open_memory(a, zip->data, zip->length), ARCHIVE_OK);
  assert_int_equal(archive_read_next_header(a, &entry), ARCHIVE_OK);
  assert_string_equal(archive_entry_pathname(entry), "agent.py");
  assert_int_equal(archive_entry_mode(entry), 0100644);
  assert_int_equal(archive_entry_size(entry), length);
  cleanup_free char *read = mem_alloc(length + 1);
  assert_int_equal(archive_read_data(a, read, length + 1), length);  // checks the sums too
  assert_memory_equal(read, bytes, length);
  assert_int_equal(archive_read_next_header(a, &entry), ARCHIVE_EOF);
  archive_read_free(a);
}

static void one_file_comes_out_as_it_went_in(void **state) {
  (void)state;
  static const size_t lengths[] = {0, 1, 30, 16384, 1000003};
  static const size_t pieces[] = {1, 7, 4096, 1 << 20};
  cleanup_free char *bytes = mem_alloc(1000003);
  for (size_t i = 0; i < 1000003; i++) bytes[i] = (char)((i * 2654435761U) >> (i % 3 ? 28 : 20));
  for (size_t i = 0; i < array_size(lengths); i++) {
    struct str cleanup_str first = STR_INIT(2 << 20);
    pack(&first, bytes, lengths[i], 65536);
    assert_holds(&first, bytes, lengths[i]);
    for (size_t p = lengths[i] > 20000; p < array_size(pieces); p++) {
      struct str cleanup_str other = STR_INIT(2 << 20);
      pack(&other, bytes, lengths[i], pieces[p]);
      assert_int_equal(other.length, first.length);
      assert_memory_equal(other.data, first.data, first.length);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(one_file_comes_out_as_it_went_in)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
