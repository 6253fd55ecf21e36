#include "git_objects.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <git2.h>
#include <git2/sys/repository.h>

#include "base/memory.h"
#include "base/str.h"

#include "git_memory.h"
#include "path.h"
#include "progress.h"

enum {
  MEMORY_BYTES = 512 << 20,  // of libgit2
  BLOB_BYTES = 192 << 20,    // of a file: libgit2 reads it whole, beside what it was a delta of
  OBJECTS_MAX = 1000000,
  LFS_POINTER_MAX = 1024,
};
static const char LFS_START[] = "version https://git-lfs.github.com/spec/";

struct git_pack {
  char *folder;
  git_indexer *indexer;
  git_indexer_progress progress;
  msec deadline;
  bool late, too_many;
  int64_t bytes;
  git_odb *odb;
  git_repository *repository;
};

static bool broken(struct git_pack *p, struct fault *f) {
  char quoted[FAULT_QUOTE_SIZE];
  if (p->late)
    return fault_retry(f, "Timeout",
                       "Reading the repository took too long. It will be tried again; make the repository smaller.");
  if (p->too_many)
    return fault_refuse(
        f, "TooBig",
        "The repository has more than %d objects. Use an archive, or name a branch or tag instead of a commit.",
        OBJECTS_MAX);
  if (git_memory_exceeded())
    return fault_refuse(f, "TooBig",
                        "The repository has objects that are too large to be read. Use an archive instead.");
  const git_error *e = git_error_last();
  return fault_refuse(f, "BadRepository",
                      "What the git server sent cannot be read (%s). Repair the repository, or use an archive.",
                      fault_quote(e ? e->message : "no reason given", quoted));
}

static int on_progress(const git_indexer_progress *stats, void *context) {
  struct git_pack *p = context;
  progress_objects(stats->indexed_objects, stats->total_objects, p->bytes);
  p->too_many = stats->total_objects > OBJECTS_MAX;
  p->late = clock_monotonic() > p->deadline;
  return p->too_many || p->late ? -1 : 0;
}

static void start_library(void) {
  git_memory_limit(MEMORY_BYTES);
  if (git_libgit2_init() < 0) abort();
  // No file of the machine configures anything.
  for (int level = GIT_CONFIG_LEVEL_PROGRAMDATA; level <= GIT_CONFIG_LEVEL_GLOBAL; level++) {
    git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
  }
  git_libgit2_opts(GIT_OPT_ENABLE_CACHING, 0);
  git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECTS, (size_t)OBJECTS_MAX);
}

struct git_pack *git_pack_new(const char *folder, msec deadline, struct fault *f) {
  start_library();
  struct git_pack *p = mem_alloc(sizeof *p);
  p->folder = mem_strdup(folder);
  p->deadline = deadline;
  git_indexer_options options = {
      .version = GIT_INDEXER_OPTIONS_VERSION,
      .progress_cb = on_progress,
      .progress_cb_payload = p,
  };
  if (git_indexer_new(&p->indexer, folder, 0600, NULL, &options) == 0) return p;
  broken(p, f);
  git_pack_free(p);
  return NULL;
}

void git_pack_free(struct git_pack *p) {
  if (!p) return;
  git_repository_free(p->repository);
  git_odb_free(p->odb);
  git_indexer_free(p->indexer);
  git_libgit2_shutdown();
  free(p->folder);
  free(p);
}

bool git_pack_feed(void *pack, const char *bytes, size_t length, struct fault *f) {
  struct git_pack *p = pack;
  p->bytes += (int64_t)length;
  return git_indexer_append(p->indexer, bytes, length, &p->progress) == 0 || broken(p, f);
}

bool git_pack_end(struct git_pack *p, struct fault *f) {
  progress_step("indexing %u objects", p->progress.total_objects);
  if (git_indexer_commit(p->indexer, &p->progress) != 0) return broken(p, f);
  cleanup_free char *index = mem_printf("%s/pack-%s.idx", p->folder, git_indexer_name(p->indexer));
  git_odb_backend *backend = NULL;
  if (git_odb_new(&p->odb) != 0 || git_odb_backend_one_pack(&backend, index) != 0) return broken(p, f);
  if (git_odb_add_backend(p->odb, backend, 1) != 0) return broken(p, f);
  return git_repository_wrap_odb(&p->repository, p->odb) == 0 || broken(p, f);
}

struct walk {
  struct git_pack *pack;
  struct tree *into;
  struct fault *fault;
};

static bool refuse(struct walk *w, const char *reason, const char *path, const char *what) {
  char quoted[FAULT_QUOTE_SIZE];
  return fault_refuse(w->fault, reason, "%s in the repository %s", fault_quote(path, quoted), what);
}

// Reads a blob; NULL with a fault. Its size is known before any of it is unpacked.
static git_odb_object *read_blob(struct walk *w, const git_oid *id, const char *path, size_t max) {
  size_t size;
  git_object_t type;
  git_odb_object *blob = NULL;
  bool ok = git_odb_read_header(&size, &type, w->pack->odb, id) == 0 || broken(w->pack, w->fault);
  if (ok && type != GIT_OBJECT_BLOB) {
    ok = refuse(w, "BadRepository", path, "is not a file though its folder says so. Repair the repository.");
  }
  if (ok && size > max) ok = refuse(w, "TooBig", path, "is too large. Put large files into an archive instead.");
  if (ok && git_odb_read(&blob, w->pack->odb, id) != 0) broken(w->pack, w->fault);
  return blob;
}

static bool write_file(struct walk *w, const git_oid *id, const char *path, bool executable) {
  git_odb_object *blob = read_blob(w, id, path, BLOB_BYTES);
  if (!blob) return false;
  const char *bytes = git_odb_object_data(blob);
  size_t size = git_odb_object_size(blob);
  bool ok;
  if (size <= LFS_POINTER_MAX && size >= sizeof LFS_START && memcmp(bytes, LFS_START, sizeof LFS_START - 1) == 0) {
    ok = refuse(w, "GitLfs", path,
                "is stored in Git LFS, which is not fetched. Commit the file itself, or use an archive.");
  } else {
    ok = tree_file(w->into, path, executable, w->fault) && tree_write(w->into, bytes, size, w->fault) &&
         tree_file_end(w->into, w->fault);
  }
  git_odb_object_free(blob);
  progress_unpacked(tree_count(w->into), tree_bytes(w->into));
  return ok;
}

static bool write_link(struct walk *w, const git_oid *id, const char *path) {
  git_odb_object *blob = read_blob(w, id, path, PATH_MAX_BYTES);
  if (!blob) return false;
  cleanup_free char *target = mem_strndup(git_odb_object_data(blob), git_odb_object_size(blob));
  git_odb_object_free(blob);
  return tree_link(w->into, path, target, w->fault);
}

static bool walk_tree(struct walk *w, const git_oid *id, const char *path);

static bool walk_entry(struct walk *w, const git_tree_entry *entry, const char *path) {
  const git_oid *id = git_tree_entry_id(entry);
  w->pack->late = clock_monotonic() > w->pack->deadline;
  if (w->pack->late) return broken(w->pack, w->fault);
  switch (git_tree_entry_filemode(entry)) {
    case GIT_FILEMODE_TREE: return tree_folder(w->into, path, w->fault) && walk_tree(w, id, path);
    case GIT_FILEMODE_BLOB: return write_file(w, id, path, false);
    case GIT_FILEMODE_BLOB_EXECUTABLE: return write_file(w, id, path, true);
    case GIT_FILEMODE_LINK: return write_link(w, id, path);
    case GIT_FILEMODE_COMMIT:
      return refuse(w, "GitSubmodule", path,
                    "is a submodule, which is not fetched. Commit its files, or leave it out by path.");
    default: return refuse(w, "BadRepository", path, "is of an unknown kind. Repair the repository.");
  }
}

// The depth of recursion is bounded by tree_folder, which takes no name that is too deep.
static bool walk_tree(struct walk *w, const git_oid *id, const char *path) {
  git_tree *tree = NULL;
  if (git_tree_lookup(&tree, w->pack->repository, id) != 0) return broken(w->pack, w->fault);
  bool ok = true;
  for (size_t i = 0; ok && i < git_tree_entrycount(tree); i++) {
    const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
    const char *name = git_tree_entry_name(entry);
    cleanup_free char *inner = *path ? mem_printf("%s/%s", path, name) : mem_strdup(name);
    if (strchr(name, '/') || text_equal(name, ".")) {
      ok = refuse(w, "UnsafePath", inner, "is no name of a file. Repair the repository.");
    } else {
      ok = walk_entry(w, entry, inner);
    }
  }
  git_tree_free(tree);
  return ok;
}

// The tree to take: the commit's own, or the folder that the submission names.
static bool find_tree(struct git_pack *p, git_commit *commit, const char *path, git_oid *ret, struct fault *f) {
  git_oid_cpy(ret, git_commit_tree_id(commit));
  char folder[PATH_MAX_BYTES + 1] = "";
  if (!text_empty(path) && !path_normalize(path, folder, f)) return false;
  if (!*folder) return true;
  char quoted[FAULT_QUOTE_SIZE];
  git_tree *root = NULL;
  git_tree_entry *entry = NULL;
  if (git_commit_tree(&root, commit) != 0) return broken(p, f);
  int found = git_tree_entry_bypath(&entry, root, folder);
  bool is_tree = found == 0 && git_tree_entry_filemode(entry) == GIT_FILEMODE_TREE;
  if (is_tree) git_oid_cpy(ret, git_tree_entry_id(entry));
  git_tree_entry_free(entry);
  git_tree_free(root);
  if (is_tree) return true;
  return fault_refuse(f, "PathNotFound", "The repository has no folder %s in this version. Correct path.",
                      fault_quote(folder, quoted));
}

bool git_pack_checkout(struct git_pack *p, const char *hex, const char *path, struct tree *into, struct fault *f) {
  git_oid id;
  git_object *object = NULL, *commit = NULL;
  if (git_oid_fromstr(&id, hex) != 0) return broken(p, f);
  int found = git_object_lookup(&object, p->repository, &id, GIT_OBJECT_ANY);
  if (found == GIT_ENOTFOUND) {
    return fault_refuse(f, "RefNotFound",
                        "The commit is on no branch or tag of the repository. Push it, or correct ref.");
  }
  bool ok = found == 0 && git_object_peel(&commit, object, GIT_OBJECT_COMMIT) == 0;
  if (!ok) broken(p, f);
  git_oid tree;
  ok = ok && find_tree(p, (git_commit *)commit, path, &tree, f);
  if (ok) {
    char text[GIT_OID_HEXSZ + 1];
    progress_step("unpacking commit %s", git_oid_tostr(text, sizeof text, git_object_id(commit)));
    struct walk w = {.pack = p, .into = into, .fault = f};
    ok = walk_tree(&w, &tree, "");
  }
  git_object_free(commit);
  git_object_free(object);
  return ok;
}
