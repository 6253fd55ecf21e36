// When memory runs out: every single allocation of a piece of work fails once, in a process of its own, be it ours or
// a foreign library's. Each time the program ends with its one line.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"

enum { MOST = 5000, WRONG = 3, NOT_REACHED = 4, UNHARMED = 5 };

// ---- an allocator that fails when it is told to -------------------------------------------------

void *__real___libc_malloc(size_t size);
void *__real___libc_calloc(size_t count, size_t size);
void *__real___libc_realloc(void *old, size_t size);
void *__wrap___libc_malloc(size_t size);
void *__wrap___libc_calloc(size_t count, size_t size);
void *__wrap___libc_realloc(void *old, size_t size);

static unsigned long left;  // 0: never fails

static bool fails(void) {
  return left > 0 && --left == 0;
}

void *__wrap___libc_malloc(size_t size) {
  return fails() ? NULL : __real___libc_malloc(size);
}

void *__wrap___libc_calloc(size_t count, size_t size) {
  return fails() ? NULL : __real___libc_calloc(count, size);
}

void *__wrap___libc_realloc(void *old, size_t size) {
  return fails() ? NULL : __real___libc_realloc(old, size);
}

// ---- the walk ----------------------------------------------------------------------------------

// What a child's end says. `text`: what it wrote.
struct end {
  int status;
  char text[256];
};

static struct end run(int work(void), unsigned long fail_at) {
  int output[2];
  assert_int_equal(pipe(output), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    signal(SIGABRT, SIG_DFL);
    dup2(output[1], STDERR_FILENO);
    left = fail_at;
    int code = work();
    _exit(code ? code : left > 0 ? NOT_REACHED : UNHARMED);
  }
  close(output[1]);
  struct end e = {0};
  size_t length = 0;
  for (ssize_t n; (n = read(output[0], e.text + length, sizeof(e.text) - 1 - length)) > 0;) length += (size_t)n;
  close(output[0]);
  assert_int_equal(waitpid(pid, &e.status, 0), pid);
  return e;
}

static bool aborted_with_its_line(const struct end *e) {
  return WIFSIGNALED(e->status) && WTERMSIG(e->status) == SIGABRT && strcmp(e->text, "out of memory\n") == 0;
}

// `work` returns 0 or WRONG.
static void walk(int work(void)) {
  for (unsigned long at = 1; at < MOST; at++) {
    struct end e = run(work, at);
    if (WIFEXITED(e.status) && WEXITSTATUS(e.status) == NOT_REACHED) {  // all have had their turn
      assert_true(at > 5);
      return;
    }
    if (!aborted_with_its_line(&e))
      fail_msg("allocation %lu failed: status %x, \"%s\"", at, (unsigned)e.status, e.text);
  }
  fail_msg("no end after %d allocations", MOST);
}

// ---- works -------------------------------------------------------------------------------------

static const char document[] =
    "{\"metadata\":{\"name\":\"a\",\"labels\":{\"k1\":\"v\",\"k2\":\"v\",\"k3\":\"a text that is longer than what fits "
    "beside it, so that it is allocated, and longer "
    "still\"}},\"list\":[1,2.5,true,null,\"x\",{},[],7,8,9,10,11,12,13,14,"
    "15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36]}";

static int reads_json(void) {
  struct error e = {0};
  json *o = json_parse(document, strlen(document), &e);
  if (!o) return WRONG;
  char *text = json_print(o);
  bool same = strcmp(text, document) == 0;
  free(text);
  json_put(&o);
  return same ? 0 : WRONG;
}

static int writes_json(void) {
  json *o = json_new_object();
  json *inner = json_add_object(o, "metadata");
  for (int i = 0; i < 40; i++) {
    char key[16];
    snprintf(key, sizeof(key), "key-%d", i);
    json_add_text(inner, key, "a text that is longer than what fits beside it, \xFF so that it is allocated");
    json_add_double(inner, "score", 0.1);
    json_add_int(inner, "n", i);
  }
  json *list = json_add_array(o, "list");
  for (int i = 0; i < 40; i++) json_push_text(list, "item");
  free(json_print(o));
  json_put(&o);
  return 0;
}

static int keeps_texts(void) {
  struct map *m = map_new(free);
  struct str s = STR_INIT(100000);
  for (int i = 0; i < 100; i++) {
    char *key = mem_printf("key-%d", i);
    map_put(m, key, mem_strdup(key));
    str_add_format(&s, "%s and more of it\n", key);
    free(key);
  }
  char *text = str_take(&s);
  int result = strlen(text) > 100 ? 0 : WRONG;
  free(text);
  map_free(m);
  return result;
}

static void while_json_is_read(void **state) {
  (void)state;
  walk(reads_json);
}

static void while_json_is_written(void **state) {
  (void)state;
  walk(writes_json);
}

static void while_texts_are_kept(void **state) {
  (void)state;
  walk(keeps_texts);
}

// ---- a limit, as a container has one -----------------------------------------------------------

static int grows_without_end(void) {
  setrlimit(RLIMIT_AS, &(struct rlimit){256 << 20, 256 << 20});
  struct str s = STR_INIT(SIZE_MAX / 2);
  for (;;) str_add(&s, document);
  return 0;
}

static int fills_a_map_without_end(void) {
  setrlimit(RLIMIT_AS, &(struct rlimit){256 << 20, 256 << 20});
  struct map *m = map_new(free);
  for (int i = 0;; i++) {
    char *key = mem_printf("key-%d", i);
    map_put(m, key, mem_alloc(100000));
    free(key);
  }
  return 0;
}

// What an archive may ask for: more than there is, at once.
static int asks_for_too_much(void) {
  setrlimit(RLIMIT_AS, &(struct rlimit){256 << 20, 256 << 20});
  volatile size_t size = (size_t)1 << 30;
  void *volatile nothing = malloc(size);  // or clang leaves out what nobody uses
  void *volatile neither = calloc(size, size);
  int result = nothing || neither ? WRONG : 0;
  free(nothing);
  free(neither);
  left = 1;
  return result;
}

static void a_huge_request_is_refused_to_the_one_who_asks(void **state) {
  (void)state;
  struct end e = run(asks_for_too_much, 0);
  assert_true(WIFEXITED(e.status) && WEXITSTATUS(e.status) == NOT_REACHED);
}

static void at_the_limit_the_program_ends_with_its_line(void **state) {
  (void)state;
  struct end e = run(grows_without_end, 0);
  assert_true(aborted_with_its_line(&e));
  e = run(fills_a_map_without_end, 0);
  assert_true(aborted_with_its_line(&e));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(while_json_is_read),
      cmocka_unit_test(while_json_is_written),
      cmocka_unit_test(while_texts_are_kept),
      cmocka_unit_test(a_huge_request_is_refused_to_the_one_who_asks),
      cmocka_unit_test(at_the_limit_the_program_ends_with_its_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
