#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"

static void memory_comes_zeroed(void **state) {
  (void)state;
  unsigned char *bytes = mem_alloc(1000);
  for (size_t i = 0; i < 1000; i++) assert_int_equal(bytes[i], 0);
  free(bytes);
  void *nothing = mem_alloc(0);
  assert_non_null(nothing);
  free(nothing);
}

static void growing_keeps_what_was_there(void **state) {
  (void)state;
  int *numbers = mem_grow(NULL, 2, sizeof(int));
  numbers[0] = 1;
  numbers[1] = 2;
  numbers = mem_grow(numbers, 1000, sizeof(int));
  assert_int_equal(numbers[0], 1);
  assert_int_equal(numbers[1], 2);
  numbers = mem_grow(numbers, 0, sizeof(int));
  assert_non_null(numbers);
  free(numbers);
}

static void null_text_stays_null(void **state) {
  (void)state;
  assert_null(mem_strdup(NULL));
  assert_null(mem_strndup(NULL, 3));
}

static void texts_are_copied(void **state) {
  (void)state;
  cleanup_free char *whole = mem_strdup("whole");
  cleanup_free char *part = mem_strndup("whole", 3);
  cleanup_free char *made = mem_printf("%s-%d", "a", 7);
  assert_string_equal(whole, "whole");
  assert_string_equal(part, "who");
  assert_string_equal(made, "a-7");
}

static void replace_takes_even_a_piece_of_itself(void **state) {
  (void)state;
  char *field = NULL;
  mem_replace(&field, "abc");
  assert_string_equal(field, "abc");
  mem_replace(&field, field + 1);
  assert_string_equal(field, "bc");
  mem_replace(&field, NULL);
  assert_null(field);
}

static void freeing_by_pointer_clears_it(void **state) {
  (void)state;
  int *numbers = mem_alloc(sizeof(int));
  mem_free_pointer(&numbers);
  assert_null(numbers);
  mem_free_pointer(&numbers);
}

// Runs `fn` in a child; true when it was aborted with the one line.
static bool aborts(void fn(void)) {
  int output[2];
  assert_int_equal(pipe(output), 0);
  pid_t pid = fork();
  if (pid == 0) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    signal(SIGABRT, SIG_DFL);
    dup2(output[1], STDERR_FILENO);
    fn();
    _exit(0);
  }
  close(output[1]);
  char text[64] = "";
  ssize_t length = read(output[0], text, sizeof(text) - 1);
  close(output[0]);
  int status;
  waitpid(pid, &status, 0);
  return length > 0 && strcmp(text, "out of memory\n") == 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void grow_beyond_size_t(void) {
  free(mem_grow(NULL, SIZE_MAX / 2, 4));
}

static void got_nothing(void) {
  mem_must(NULL);
}

static void out_of_memory_ends_the_program(void **state) {
  (void)state;
  assert_true(aborts(grow_beyond_size_t));
  assert_true(aborts(got_nothing));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(memory_comes_zeroed),
      cmocka_unit_test(growing_keeps_what_was_there),
      cmocka_unit_test(null_text_stays_null),
      cmocka_unit_test(texts_are_copied),
      cmocka_unit_test(replace_takes_even_a_piece_of_itself),
      cmocka_unit_test(freeing_by_pointer_clears_it),
      cmocka_unit_test(out_of_memory_ends_the_program),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
