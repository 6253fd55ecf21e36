// Drives api-server's store and migrations against a real PostgreSQL, as the tests in Python tell it.
//
//   front-probe URL migrate                      the built-in migrations
//   front-probe URL migrate VERSION NAME SQL ... others
//   front-probe URL store                        lines of stdin: a kind (agent, submission, match, queue), a space, an
//                                                object; or "vanished KIND UID". One line of answer for each.
//   front-probe - row KIND                       an object on stdin: its row
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "migrate.h"
#include "store.h"

enum { LINE_MAX_BYTES = 4 * 1024 * 1024, MIGRATIONS_MAX = 16 };

static uv_loop_t loop;
static bool done;
static struct error problem;

static void take(void *context, const struct error *e) {
  (void)context;
  done = true;
  problem = e ? *e : (struct error){0};
}

static void wait_for_it(void) {
  while (!done) uv_run(&loop, UV_RUN_ONCE);
  done = false;
}

static int migrate(struct db *db, int count, char **words) {
  struct migration list[MIGRATIONS_MAX];
  unsigned n = 0;
  for (int i = 0; i + 2 < count && n < MIGRATIONS_MAX; i += 3, n++)
    list[n] = (struct migration){.version = (int)strtol(words[i], NULL, 10),
                                 .name = words[i + 1],
                                 .sql = words[i + 2],
                                 .sha256 = words[i + 2]};  // any text that changes with the file
  if (n > 0)
    migrate_start_with(&loop, db, list, n, take, NULL);
  else
    migrate_start(&loop, db, take, NULL);
  wait_for_it();
  puts(problem.code == ERR_NONE ? "ok" : problem.text);
  return problem.code == ERR_NONE ? 0 : 1;
}

static enum stored_kind kind_of(const char *word) {
  static const char *const words[] = {"agent", "submission", "match", "queue"};
  for (unsigned i = 0; i < array_size(words); i++)
    if (text_equal(word, words[i])) return (enum stored_kind)i;
  fprintf(stderr, "no such kind: %s\n", word);
  exit(2);
}

static void store_line(struct db *db, char *line) {
  char *space = strchr(line, ' ');
  if (!space) exit(2);
  *space = '\0';
  if (text_equal(line, "vanished")) {
    char *kind = space + 1, *uid = strchr(kind, ' ');
    if (!uid) exit(2);
    *uid++ = '\0';
    store_vanished(db, kind_of(kind), &uid, 1, take, NULL);
  } else {
    struct error e;
    cleanup_json json *object = json_parse(space + 1, strlen(space + 1), &e);
    if (!object) exit(2);
    store_put_object(db, kind_of(line), object, take, NULL);
  }
  wait_for_it();
  printf("%s\n", problem.code == ERR_NONE ? "ok" : problem.text);
  fflush(stdout);
}

static int store(struct db *db) {
  static char line[LINE_MAX_BYTES];
  while (fgets(line, sizeof(line), stdin)) {
    line[strcspn(line, "\n")] = '\0';
    store_line(db, line);
  }
  return 0;
}

static int row(const char *kind) {
  static char text[LINE_MAX_BYTES];
  struct error e;
  size_t length = fread(text, 1, sizeof(text), stdin);
  cleanup_json json *object = json_parse(text, length, &e);
  cleanup_free char *made = object ? store_row(kind_of(kind), object, &e) : NULL;
  puts(made ? made : e.text);
  return made ? 0 : 1;
}

int main(int count, char **words) {
  if (count < 3) return 2;
  if (text_equal(words[2], "row")) return count > 3 ? row(words[3]) : 2;
  struct error e;
  uv_loop_init(&loop);
  struct db *db =
      db_new(&loop, &(struct db_options){.url = words[1], .connections = 2, .application_name = "probe"}, NULL, &e);
  if (!db) {
    puts(e.text);
    return 1;
  }
  int code = text_equal(words[2], "migrate") ? migrate(db, count - 3, words + 3) : store(db);
  db_free(db);
  uv_run(&loop, UV_RUN_DEFAULT);
  return uv_loop_close(&loop) == 0 ? code : 3;
}
