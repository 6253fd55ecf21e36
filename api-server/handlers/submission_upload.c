// POST /submissions: a form with a file, or JSON that says where the code is. The body is read while it comes; of a
// file no more is held than decides what it is, or all of it where that is little and text.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/str.h"

#include "app.h"
#include "blobs.h"
#include "cluster.h"
#include "downloads.h"
#include "handlers.h"
#include "multipart.h"
#include "router.h"
#include "settings.h"
#include "submission_new.h"
#include "submission_source.h"
#include "upload_kind.h"
#include "zip_one.h"

enum {
  INLINE_MAX = 64 << 10,  // a larger agent.py goes as an archive
  JSON_MAX = 1 << 20,
  FRAME_MAX = 64 << 10,  // of a form, beside its file
  ID_MAX = 64,
};

enum field { FIELD_OTHER, FIELD_AGENT, FIELD_FILE };

struct upload {
  struct exchange *x;
  struct multipart *form;  // NULL: JSON
  struct str text;         // the JSON body
  struct str agent_id;
  enum field field;
  bool has_file, over;  // over: all of the body is there
  struct submission_check *check;
  bool checked;
  bool slow;  // the store cannot keep up
  char filename[MULTIPART_NAME_MAX + 1];
  enum upload_kind kind;
  struct str head;  // of the file; of a small agent.py all of it
  int64_t size;
  struct blob_writer *writer;
  struct zip_one *zip;
  char *format;  // of what codeUrl names
};

// ---- lifetime ------------------------------------------------------------------------------------

static struct exchange *upload_free(struct upload *u) {
  struct exchange *x = u->x;
  submission_check_cancel(u->check);
  if (u->writer) blob_abandon(u->writer);
  zip_one_free(u->zip);
  multipart_free(u->form);
  str_done(&u->text);
  str_done(&u->agent_id);
  str_done(&u->head);
  free(u->format);
  free(u);
  return x;
}

static void fail(struct upload *u, int status, const char *word, const char *message) {
  exchange_fail(upload_free(u), status, word, "%s", message);
}

static void fail_too_large(struct upload *u) {
  long long most = exchange_app(u->x)->settings->max_upload_bytes;
  exchange_fail(upload_free(u), 413, "too_large", "The file is larger than %lld bytes, which is the limit.", most);
}

static void fail_error(struct upload *u, const struct error *e) {
  exchange_fail_error(upload_free(u), e);
}

// Bytes come while the store keeps up and the agent is known to be the user's.
static void set_flow(struct upload *u) {
  if (!u->over) exchange_pause(u->x, u->slow || u->check != NULL);
}

// ---- whose agent it is ---------------------------------------------------------------------------

static void go_on(struct upload *u);

static void on_checked(void *context, const struct submission_refusal *problem) {
  struct upload *u = context;
  u->check = NULL;
  u->checked = true;
  if (problem) {
    struct submission_refusal refusal = *problem;
    submission_refuse(upload_free(u), &refusal);
    return;
  }
  if (u->over)
    go_on(u);
  else
    set_flow(u);
}

static bool check_agent(struct upload *u) {
  if (!text_is_uuid(str_text(&u->agent_id))) return false;
  u->check = submission_check(u->x, str_text(&u->agent_id), on_checked, u);
  set_flow(u);
  return true;
}

// ---- the file ------------------------------------------------------------------------------------

static void on_ready(void *context) {
  struct upload *u = context;
  u->slow = false;
  set_flow(u);
}

static void write_blob(void *context, const void *bytes, size_t length) {
  struct upload *u = context;
  if (blob_write(u->writer, bytes, length)) return;
  u->slow = true;
  set_flow(u);
}

static void write_file(struct upload *u, const void *bytes, size_t length) {
  if (u->zip)
    zip_one_write(u->zip, bytes, length);
  else
    write_blob(u, bytes, length);
}

static void begin_blob(struct upload *u) {
  struct app *app = exchange_app(u->x);
  const char *type = u->kind == UPLOAD_TAR_GZ ? "application/gzip" : "application/zip";
  // What packing adds to an agent.py is no reason to refuse it.
  u->writer = blob_create(app->blobs, type, (size_t)app->settings->max_upload_bytes + FRAME_MAX, on_ready, u);
  if (u->kind == UPLOAD_PYTHON) u->zip = zip_one_new("agent.py", write_blob, u);
  write_file(u, u->head.data, u->head.length);
  str_done(&u->head);
}

// Decides what the file is when enough of it is there, or all.
static bool judge_file(struct upload *u, bool at_end, struct error *e) {
  if (u->kind == UPLOAD_UNKNOWN) {
    if (!at_end && u->head.length < UPLOAD_HEAD) return true;
    const char *problem = NULL;
    size_t length = u->head.length < UPLOAD_HEAD ? u->head.length : UPLOAD_HEAD;
    u->kind = upload_kind_of(u->filename, str_text(&u->head), length, &problem);
    if (u->kind == UPLOAD_UNKNOWN) {
      error_set(e, ERR_GONE, "%s", problem);  // told as 415
      return false;
    }
  }
  if (!u->writer && (u->kind != UPLOAD_PYTHON || u->head.length > INLINE_MAX)) begin_blob(u);
  return true;
}

static bool take_file(struct upload *u, const char *bytes, size_t length, struct error *e) {
  u->size += (int64_t)length;
  if (u->size > exchange_app(u->x)->settings->max_upload_bytes) {
    error_set(e, ERR_TOO_LARGE, "the file");
    return false;
  }
  if (u->writer) {
    write_file(u, bytes, length);
    return true;
  }
  str_add_bytes(&u->head, bytes, length);
  return judge_file(u, false, e);
}

// ---- the form ------------------------------------------------------------------------------------

static bool on_part(void *context, const struct multipart_part *part, struct error *e) {
  struct upload *u = context;
  u->field = FIELD_OTHER;
  if (part->filename) {
    if (u->has_file) {
      error_set(e, ERR_INVALID, "The form has two files; one is taken. Put several into a zip or tar.gz.");
      return false;
    }
    u->has_file = true;
    u->field = FIELD_FILE;
    strncat(u->filename, part->filename, MULTIPART_NAME_MAX);
  } else if (text_equal(part->name, "agentId") && u->agent_id.length == 0) {
    u->field = FIELD_AGENT;
  }
  return true;
}

static bool on_part_data(void *context, const char *bytes, size_t length, struct error *e) {
  struct upload *u = context;
  if (u->field == FIELD_FILE) return take_file(u, bytes, length, e);
  if (u->field == FIELD_AGENT) str_add_bytes(&u->agent_id, bytes, length);
  return true;
}

static bool on_part_end(void *context, struct error *e) {
  struct upload *u = context;
  if (u->field == FIELD_FILE) return judge_file(u, true, e);
  if (u->field != FIELD_AGENT) return true;
  if (!u->agent_id.failed && check_agent(u)) return true;
  error_set(e, ERR_INVALID, "agentId must be the id of an agent.");
  return false;
}

static const struct multipart_events form_events = {on_part, on_part_data, on_part_end};

// ---- all of it is there --------------------------------------------------------------------------

// Takes what it needs out of the upload, which ends with it.
static void submit(struct upload *u, json *take_source) {
  cleanup_free char *agent_id = mem_strdup(str_text(&u->agent_id));
  submission_new(upload_free(u), agent_id, take_source, NULL);
}

static void on_kept(void *context, const char *sha256, int64_t size, const struct error *e) {
  (void)size;
  struct upload *u = context;
  u->writer = NULL;
  if (e)
    fail_error(u, e);
  else
    submit(u, source_of_blob(exchange_app(u->x)->settings, sha256, u->kind == UPLOAD_TAR_GZ ? "tar.gz" : "zip"));
}

static void end_file(struct upload *u) {
  if (u->writer) {
    if (u->zip) zip_one_end(u->zip);
    blob_finish(u->writer, on_kept, u);
    return;
  }
  json *source = source_of_text(str_text(&u->head), u->head.length);
  if (source)
    submit(u, source);
  else
    fail(u, 415, "unsupported_media_type", "The file is named .py but is no text in UTF-8.");
}

static void on_downloaded(void *context, const char *sha256, int64_t size, const void *head, size_t length,
                          const struct error *e) {
  (void)size;
  struct upload *u = context;
  if (e) {
    fail_error(u, e);
    return;
  }
  const char *problem = NULL;
  const char *name = u->format ? u->format : length >= 2 && memcmp(head, "\x1f\x8b", 2) == 0 ? ".tar.gz" : ".zip";
  cleanup_free char *filename = mem_printf("code.%s", name + (name[0] == '.'));
  enum upload_kind kind = upload_kind_of(filename, head, length, &problem);
  if (kind == UPLOAD_UNKNOWN)
    fail(u, 415, "unsupported_media_type", "What is at codeUrl is no zip or tar.gz archive. Upload the file instead.");
  else
    submit(u, source_of_blob(exchange_app(u->x)->settings, sha256, kind == UPLOAD_TAR_GZ ? "tar.gz" : "zip"));
}

static void end_json(struct upload *u) {
  struct error e;
  cleanup_json json *body = json_parse(str_text(&u->text), u->text.length, &e);
  json *source;
  const char *url, *format;
  struct exchange *x = u->x;
  if (!source_of_json(x, body, &source, &url, &format)) {
    u->x = NULL;
    upload_free(u);
  } else if (source) {
    submit(u, source);
  } else {
    u->format = mem_strdup(format);
    download_start(exchange_app(x)->downloads, url, on_downloaded, u);
  }
}

static void go_on(struct upload *u) {
  if (u->form)
    end_file(u);
  else
    end_json(u);
}

static void end_of_form(struct upload *u) {
  struct error e;
  if (!multipart_end(u->form, &e))
    fail(u, 400, "invalid", e.text);
  else if (u->agent_id.length == 0)
    fail(u, 400, "invalid", "agentId is missing: the form needs agentId and file.");
  else if (!u->has_file)
    fail(u, 400, "invalid", "file is missing: the form needs agentId and file.");
  else if (u->checked)
    go_on(u);
  // else: on_checked goes on
}

static void end_of_json(struct upload *u) {
  struct error e;
  cleanup_json json *body = json_parse(str_text(&u->text), u->text.length, &e);
  if (!body || !json_object_is_type(body, json_type_object)) {
    fail(u, 400, "invalid", "The body is no JSON object.");
    return;
  }
  const char *id = json_text(body, "agentId");
  if (id && text_is_uuid(id)) {
    str_add(&u->agent_id, id);
    check_agent(u);
  } else {
    fail(u, 400, "invalid", "agentId must be the id of an agent.");
  }
}

// ---- while it comes ------------------------------------------------------------------------------

static void take_form(struct upload *u, const void *bytes, size_t length) {
  struct error e;
  if (multipart_feed(u->form, bytes, length, &e)) {
    const struct error *problem = u->writer ? blob_problem(u->writer) : NULL;
    if (problem) {
      e = *problem;
      fail_error(u, &e);
    }
    return;
  }
  if (e.code == ERR_TOO_LARGE)
    fail_too_large(u);
  else if (e.code == ERR_GONE)
    fail(u, 415, "unsupported_media_type", e.text);
  else
    fail(u, 400, "invalid", e.text);
}

static void on_body(void *context, const void *bytes, size_t length, bool complete) {
  struct upload *u = context;
  if (bytes) {
    if (u->form) {
      take_form(u, bytes, length);
    } else {
      str_add_bytes(&u->text, bytes, length);
      if (u->text.failed) fail(u, 413, "too_large", "The JSON is larger than 1 MiB.");
    }
    return;
  }
  u->over = true;
  if (!complete)
    fail(u, 400, "incomplete", "The upload broke off.");
  else if (u->form)
    end_of_form(u);
  else
    end_of_json(u);
}

void handle_create_submission(struct exchange *x) {
  const char *type = exchange_header(x, "content-type");
  int64_t most = exchange_app(x)->settings->max_upload_bytes;
  if (!cluster_is_writable(x)) return;
  if (exchange_content_length(x) > most + FRAME_MAX) {
    exchange_fail(x, 413, "too_large", "The file is larger than %lld bytes, which is the limit.", (long long)most);
    return;
  }
  struct upload *u = mem_alloc(sizeof *u);
  u->x = x;
  u->kind = UPLOAD_UNKNOWN;
  u->text = STR_INIT(JSON_MAX);
  u->agent_id = STR_INIT(ID_MAX);
  u->head = STR_INIT(8 << 20);
  struct error e = {0};
  if (type && strncasecmp(type, "multipart/", strlen("multipart/")) == 0) {
    u->form = multipart_new(type, &form_events, u, &e);
    if (!u->form) {
      fail(u, 400, "invalid", "The Content-Type must be multipart/form-data with a boundary.");
      return;
    }
  } else if (!type || strncasecmp(type, "application/json", strlen("application/json")) != 0) {
    fail(u, 415, "unsupported_media_type", "Send a form (multipart/form-data) with agentId and file, or JSON.");
    return;
  }
  exchange_receive(x, on_body, u);
}
