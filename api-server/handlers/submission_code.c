// The code of a submission, for its owner: an archive as it was brought (a large agent.py has become one), the files of
// a small one or of a manifest as JSON. What lies elsewhere is not brought from there.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

#include "app.h"
#include "blob_reply.h"
#include "blobs.h"
#include "cluster.h"
#include "handlers.h"
#include "query.h"
#include "settings.h"

// An upload has the front's own address, which is nobody's to hand in: with an address elsewhere, a hash alone would be
// enough to read what somebody else has brought.
static const struct db_statement FIND = {
    "submission_code",
    "SELECT coalesce(a.owner = $2, false), s.object_name, s.source_kind, s.code_url, s.code_sha256,"
    " coalesce(s.code_url = $3 || '/internal/v1/sources/' || s.code_sha256, false)"
    " FROM submissions s LEFT JOIN agents a ON a.id = s.agent_id WHERE s.id = $1::uuid"};

// ---- uploads -------------------------------------------------------------------------------------

struct upload_asked {
  struct exchange *x;
  char sha256[BLOB_SHA256_SIZE];
  char *name;
};

static void on_stat(void *context, int64_t size, const char *media_type, const struct error *e) {
  struct upload_asked *u = context;
  struct exchange *x = u->x;
  if (e && e->code == ERR_NOT_FOUND) {
    exchange_fail(x, 404, "no_code", "This upload is not kept any more.");
  } else if (e) {
    exchange_fail_error(x, e);
  } else {
    const bool tar = text_equal(media_type, "application/gzip");
    cleanup_free char *as = mem_printf("attachment; filename=\"%s.%s\"", u->name, tar ? "tar.gz" : "zip");
    exchange_add_header(x, "Content-Disposition", as);
    blob_reply(x, &(struct blob_answer){
                      .sha256 = u->sha256, .size = size, .content_type = tar ? "application/gzip" : "application/zip"});
  }
  free(u->name);
  free(u);
}

static void reply_upload(struct exchange *x, const char *name, const char *sha256) {
  struct upload_asked *u = mem_alloc(sizeof *u);
  *u = (struct upload_asked){.x = x, .name = mem_strdup(name)};
  snprintf(u->sha256, sizeof(u->sha256), "%s", sha256);
  blob_stat(exchange_app(x)->blobs, u->sha256, on_stat, u);
}

// ---- files in the object itself ------------------------------------------------------------------

static void on_read(void *context, json *object, const struct error *e) {
  struct exchange *x = context;
  json *files = json_at(object, "spec", "source", "inline", "files", NULL);
  const char *uid = json_text(json_get(object, "metadata"), "uid");
  const bool same = uid != NULL && strcasecmp(uid, exchange_param(x, "id")) == 0;
  if (e && e->code != ERR_NOT_FOUND) {
    log_warn("a submission's code is not read", "submission", exchange_param(x, "id"), "error", e->text);
    exchange_fail(x, 503, "unavailable",
                  "The cluster, where this code is, does not answer now. Try again in a moment.");
  } else if (e || !same || files == NULL) {
    exchange_fail(x, 404, "no_code", "This submission was removed, and its code with it.");
  } else {
    cleanup_json json *answer = json_new_object();
    json_add(answer, "files", json_object_get(files));
    cleanup_free char *text = json_print(answer);
    exchange_reply_bytes(x, 200, "application/json", text, strlen(text), true);
  }
}

// ---- which of them -------------------------------------------------------------------------------

static void on_found(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct exchange *x = context;
  if (!query_is_owner(x, rows, e, "submission")) return;
  const char *name = db_rows_text(rows, 0, 1), *kind = db_rows_text(rows, 0, 2), *url = db_rows_text(rows, 0, 3);
  if (db_rows_bool(rows, 0, 5)) {
    reply_upload(x, name, db_rows_text(rows, 0, 4));
  } else if (text_equal(kind, "inline")) {
    if (exchange_app(x)->kube != NULL)
      cluster_read(exchange_app(x), STORED_SUBMISSION, name, on_read, x);
    else
      exchange_fail(x, 503, "unavailable", "Its code is in the cluster, which this arena reads nothing from.");
  } else if (url != NULL) {
    exchange_fail(x, 404, "no_code", "Its code is not kept here, it was handed in as an address: %s", url);
  } else {
    exchange_fail(x, 404, "no_code", "It was handed in as an image: the arena has no code of it.");
  }
}

void handle_submission_code(struct exchange *x) {
  const struct app *app = exchange_app(x);
  const struct db_value values[] = {DB_TEXT(exchange_param(x, "id")), DB_TEXT(exchange_username(x)),
                                    DB_TEXT(app->settings->internal_url)};
  db_query(app->db, &FIND, values, 3, on_found, x);
}
