#include "context.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/str.h"

#include "authorities.h"
#include "files.h"
#include "progress.h"

enum { DOCKERFILE_MAX = 1 << 20 };

int context_begin(const char *workspace, struct fault *f) {
  int fd = open(workspace, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    fault_retry(f, "DiskError", "Could not open the workspace: %s.", strerror(errno));
    return -1;
  }
  // An init container runs again after a node's restart.
  int cleanup_fd work = -1;
  if (!files_remove(fd, CONTEXT_WORK) || !files_remove(fd, "context") || !files_remove(fd, "Dockerfile") ||
      !files_remove(fd, AUTHORITIES_FILE)) {
    files_fault(f, "clear the last attempt");
  } else {
    work = files_make_folder(fd, CONTEXT_WORK, f);
  }
  if (work >= 0) return fd;
  close(fd);
  return -1;
}

void context_end(int workspace) {
  files_remove(workspace, CONTEXT_WORK);
}

static bool is_source(int folder) {
  enum files_kind agent = files_kind(folder, "agent.py");
  return agent == FILES_REGULAR || agent == FILES_LINK || files_kind(folder, "Dockerfile") != FILES_NONE;
}

// The only entry of the folder, copied into `ret`; false when there are more or none. What a Mac adds to a zip does not
// count.
static bool only_entry(int folder, char ret[NAME_MAX + 1]) {
  int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = copy < 0 ? NULL : fdopendir(copy);
  if (!entries) return false;
  int count = 0;
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    const char *name = entry->d_name;
    if (text_equal(name, ".") || text_equal(name, "..") || text_equal(name, "__MACOSX")) continue;
    if (count++ == 0) snprintf(ret, NAME_MAX + 1, "%s", name);
  }
  closedir(entries);
  return count == 1;
}

// Where in `folder` the source is: "." or the single folder at its top.
static bool find_source(int folder, char ret[NAME_MAX + 1], bool link_to_root, struct fault *f) {
  if (is_source(folder)) {
    snprintf(ret, NAME_MAX + 1, ".");
    return true;
  }
  if (only_entry(folder, ret) && files_kind(folder, ret) == FILES_FOLDER) {
    int cleanup_fd inner = openat(folder, ret, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner >= 0 && is_source(inner)) {
      if (!link_to_root) return true;
      return fault_refuse(f, "UnsafePath", "A link in the source leaves its folder. Replace it by a copy of the file.");
    }
  }
  return fault_refuse(
      f, "NoAgent",
      "The source has neither agent.py nor a Dockerfile at its top. Add agent.py, or name the folder that has it.");
}

static bool write_dockerfile(int workspace, const struct str *text, struct fault *f) {
  int cleanup_fd out = openat(workspace, "Dockerfile", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (out < 0 || !files_write(out, text->data, text->length)) return files_fault(f, "write the Dockerfile");
  return fchmod(out, 0644) == 0 || files_fault(f, "write the Dockerfile");
}

static bool copy_dockerfile(int workspace, int source, struct fault *f) {
  int cleanup_fd in = openat(source, "Dockerfile", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (in < 0) return files_fault(f, "read the Dockerfile");
  struct str cleanup_str text = STR_INIT(DOCKERFILE_MAX);
  for (;;) {
    char bytes[8192];
    ssize_t n = read(in, bytes, sizeof bytes);
    if (n < 0) return files_fault(f, "read the Dockerfile");
    if (n == 0) break;
    str_add_bytes(&text, bytes, (size_t)n);
  }
  if (text.failed) return fault_refuse(f, "TooBig", "The Dockerfile is larger than 1 MiB. Make it shorter.");
  if (text.length == 0) return fault_refuse(f, "BadDockerfile", "The Dockerfile is empty. Write it, or leave it out.");
  return write_dockerfile(workspace, &text, f);
}

// The packages come before the code, so that a new version of the code alone finds them in the cache. pip runs as root
// to reach the interpreter's own folder; the agent runs as the runtime's user again.
static bool make_dockerfile(int workspace, bool requirements, const char *runtime_image, struct fault *f) {
  struct str cleanup_str text = STR_INIT(DOCKERFILE_MAX);
  str_add(&text, "# Written by RL Arena: the source has no Dockerfile of its own.\n");
  str_add_format(&text, "ARG RUNTIME_IMAGE=%s\nFROM ${RUNTIME_IMAGE}\n", runtime_image);
  if (requirements) {
    str_add(
        &text,
        "ARG PIP_INDEX_URL\n"
        "ARG PIP_TRUSTED_HOST\n"
        "ARG PIP_CERT\n"
        "USER root\n"
        "COPY requirements.txt /tmp/requirements.txt\n"
        "RUN PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore \\\n"
        "    python3 -m pip install --no-cache-dir --no-input --disable-pip-version-check -r /tmp/requirements.txt \\\n"
        " && rm -f /tmp/requirements.txt\n");
  }
  str_add(&text, "COPY . /agent/\n");
  if (requirements) str_add(&text, "USER 10001\n");
  return write_dockerfile(workspace, &text, f);
}

static bool add_dockerfile(int workspace, int source, const char *runtime_image, struct fault *f) {
  switch (files_kind(source, "Dockerfile")) {
    case FILES_REGULAR:
      progress_step("building from the source's own Dockerfile");
      return copy_dockerfile(workspace, source, f);
    case FILES_NONE: break;
    default:
      return fault_refuse(f, "BadDockerfile", "Dockerfile in the source is not a file. Replace it by the file itself.");
  }
  enum files_kind requirements = files_kind(source, "requirements.txt");
  if (requirements != FILES_NONE && requirements != FILES_REGULAR) {
    return fault_refuse(f, "BadRequirements",
                        "requirements.txt in the source is not a file. Replace it by the file itself.");
  }
  if (text_empty(runtime_image)) {
    return fault_refuse(
        f, "NoRuntimeImage",
        "The source has no Dockerfile and the arena has no runtime image configured. Tell its operator.");
  }
  return make_dockerfile(workspace, requirements == FILES_REGULAR, runtime_image, f);
}

bool context_finish(int workspace, const char *folder, bool link_to_root, const char *runtime_image, struct fault *f) {
  int cleanup_fd work = openat(workspace, CONTEXT_WORK, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int cleanup_fd tree = work < 0 ? -1 : openat(work, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (tree < 0) return files_fault(f, "open a folder");
  char name[NAME_MAX + 1];
  if (!find_source(tree, name, link_to_root, f)) return false;
  int cleanup_fd source = openat(tree, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (source < 0) return files_fault(f, "open a folder");
  if (!add_dockerfile(workspace, source, runtime_image, f)) return false;

  bool whole = text_equal(name, ".");
  int moved = whole ? renameat(work, folder, workspace, "context") : renameat(tree, name, workspace, "context");
  return moved == 0 || files_fault(f, "move the source");
}
