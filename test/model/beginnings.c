// Small beginnings, and what is applied to them.
#include "beginnings.h"

#include "base/memory.h"

#include "model.h"

// ---- beginnings ----------------------------------------------------------------------------------

static void pair(const char *queue) {
  object_apply(queue);
  object_apply(AGENT("ann"));
  object_apply(READY("ann"));
  object_apply(AGENT("bob"));
  object_apply(READY("bob"));
}

void pair_of_one(void) {
  pair(QUEUE("1"));
}

void pair_of_two(void) {
  pair(QUEUE("2"));
}

void three(void) {
  pair(QUEUE("1"));
  object_apply(AGENT("cat"));
  object_apply(READY("cat"));
}

void agent_alone(void) {
  object_apply(QUEUE("1"));
  object_apply(AGENT("ann"));
}

// ---- what happens to them ------------------------------------------------------------------------

void one_match(void) {
  object_apply(MATCH("m1", "ann", "bob"));
}

void two_matches(void) {
  object_apply(MATCH("m1", "ann", "bob"));
  object_apply(MATCH("m2", "bob", "ann"));
}

void chain_of_matches(void) {
  object_apply(MATCH("m1", "ann", "bob"));
  object_apply(MATCH("m2", "bob", "cat"));
}

void three_matches(void) {
  two_matches();
  object_apply(MATCH("m3", "ann", "bob"));
}

// A match that waits for an agent whose first submission is still to be scanned.
void match_and_image(void) {
  object_apply(IMAGE("s1", "ann"));
  object_apply(AGENT("bob"));
  object_apply(READY("bob"));
  object_apply(MATCH("m1", "ann", "bob"));
}

void two_images(void) {
  object_apply(IMAGE("s1", "ann"));
  object_apply(IMAGE("s2", "ann"));
}

void one_build(void) {
  object_apply(INLINE("s1", "ann", "1"));
}

// The scanner's report, as `fetch report` prints it.
const char *report(const char *pod) {
  (void)pod;
  return "{\"digest\":\"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"repoDigest\":\"\","
         "\"databaseDate\":\"2026-01-02T03:04:05Z\",\"scannerVersion\":\"0.74.0\",\"counts\":{\"critical\":{\"total\":"
         "0,"
         "\"fixable\":0},\"high\":{\"total\":0,\"fixable\":0},\"medium\":{\"total\":0,\"fixable\":0},\"low\":{"
         "\"total\":0,"
         "\"fixable\":0},\"unknown\":{\"total\":0,\"fixable\":0}},\"findings\":[]}\n";
}
