// What the files of blobs share: a writer cuts a stream into parts and hashes it (blobs_write.c), a reader asks for
// slices (blobs_read.c), a store keeps both (blobs_postgres.c, blobs_s3.c).
#pragma once

#include <openssl/evp.h>

#include "io/db.h"
#include "io/timer.h"

#include "blobs.h"
#include "s3.h"

enum { BLOB_UUID_SIZE = 37, BLOB_MEDIA_TYPE_MAX = 128 };

struct blob_store {
  size_t part_size;  // of all parts but the last
  size_t slice_size;
  unsigned places;  // writers that may hold more than BLOB_SMALL at the same time
  // Keeps a part that is not the last; then blob_writer_stored.
  void (*put)(struct blob_writer *w, const void *bytes, size_t length);
  // Keeps the last bytes (maybe none) and makes the blob visible; then blob_writer_ended.
  void (*finish)(struct blob_writer *w, const void *bytes, size_t length);
  // Removes what is there of an upload that came to nothing, or that another one was faster than; never what a blob is
  // made of. The writer is gone when it is done.
  void (*discard)(struct blobs *b, struct blob_writer *w);
  // `length` bytes at `offset`, at most slice_size and not beyond a part's end; then blob_reader_slice.
  void (*read)(struct blob_reader *r, int64_t offset, size_t length);
  void (*forget)(struct blob_writer *w);  // cancels what runs, frees w->state_of_store
};
extern const struct blob_store blob_store_postgres, blob_store_s3;

// Writers that hold little go ahead at once; of the others so many hold a whole part as there are places.
enum { BLOB_SMALL = 16 << 10 };

struct blobs {
  struct app *app;
  struct db *db;
  struct s3 *s3;                   // NULL: not configured
  const struct blob_store *store;  // of new blobs
  struct timer *cleaner, *turn;
  struct db_call *cleaning;
  struct blob_chore *chores;  // of writers that are gone
  struct blob_stat_call *stats;
  struct blob_writer *writers;  // all, so that blobs_free finds them
  struct blob_reader *readers;
  struct blob_writer *first_waiting;  // for a place, in order
  unsigned taken;                     // places
};

enum writer_state { WRITER_OPEN, WRITER_FINISHING, WRITER_ABANDONED };

struct blob_writer {
  struct blobs *b;
  const struct blob_store *store;
  struct blob_writer *next, *previous;
  struct blob_writer *next_waiting;
  enum writer_state state;
  bool has_place, waits;
  bool full;     // blob_write said false: `ready` is owed
  bool busy;     // the store is at work on it
  bool touched;  // the store may hold something of it
  bool due;      // to be looked at in the loop's next turn
  struct error problem;
  char upload[BLOB_UUID_SIZE];
  char *media_type;
  int64_t size, max;
  unsigned parts;  // stored
  char *buffer;
  size_t held, room;
  EVP_MD_CTX *digest;
  char sha256[BLOB_SHA256_SIZE];
  void (*ready)(void *context);
  void *ready_context;
  void (*done)(void *context, const char *sha256, int64_t size, const struct error *e);
  void *done_context;
  void *state_of_store;
};

// Something to be done in the end by a store, with nobody left to tell.
struct blob_chore {
  struct blobs *b;
  struct blob_chore *next, *previous;
  struct db_call *query;
  struct s3_call *call;
  char upload[BLOB_UUID_SIZE];
};
struct blob_chore *blob_chore_new(struct blobs *b, const char *upload);
void blob_chore_free(struct blob_chore *c);  // cancels what runs

void blob_writer_turn(struct blobs *b);
void blob_writer_stored(struct blob_writer *w, const struct error *e);
void blob_writer_ended(struct blob_writer *w, const struct error *e);

struct blob_reader {
  struct blobs *b;
  const struct blob_store *store;  // NULL: not known yet
  struct blob_reader *next, *previous;
  char sha256[BLOB_SHA256_SIZE];
  char upload[BLOB_UUID_SIZE];
  int64_t at, left;  // left -1 before the size is known: all
  bool paused, busy, calling, closed, ended;
  blob_data_fn *data;
  void *context;
  struct db_call *query;
  struct s3_call *get;
};

void blob_reader_slice(struct blob_reader *r, const void *bytes, size_t length, const struct error *e);

void blob_writer_free(struct blob_writer *w);  // takes it out of the list
void blob_reader_free(struct blob_reader *r);
void blob_stat_free(struct blob_stat_call *s);
void blob_uuid(char ret[BLOB_UUID_SIZE]);  // random
void blobs_clean_s3(struct blobs *b);
