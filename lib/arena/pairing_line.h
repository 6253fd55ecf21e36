// The waiting agents in a line by Elo, those of equal Elo by turn, with the question that pairing
// asks: who is the next one that suits me?
//
// The line is cut into blocks, and a binary tree over them keeps for each stretch how far down and
// up anybody in it reaches (Elo less and plus range), and how far anybody reaches who has another
// owner than that one. Two values are enough for any owner's question, so that a block is only
// looked into when somebody in it suits, barred pairs aside: an answer costs O(log n), and O(log n)
// more for each barred agent on the way, however many of the neighbours have the same owner or do
// not reach this far.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_NONE SIZE_MAX

struct line_agent {
  int32_t elo, range;  // -1e9..1e9 and 0..1e9
  uint32_t owner;      // below UINT32_MAX
  uint32_t barred;     // the last turn whose agent must not have it
};

struct reach;
struct line {
  struct line_agent *agents;  // by position: Elo grows
  bool *present;              // by position
  size_t count, leaves;
  struct reach *tree;  // node 1 is the root, the i-th block's is `leaves` + i
};

struct line_seeker {
  int32_t elo;
  uint32_t owner;
  uint32_t turn;  // never 0
};

void line_init(struct line *l, struct line_agent *take_agents, size_t count);
void line_done(struct line *l);
// Puts those in who have room, and nobody else.
void line_fill(struct line *l, const int32_t *room);
void line_remove(struct line *l, size_t position);

// The first that suits at `from` or after, with an Elo of at most `limit`; all of these must be
// either at or above the seeker's Elo, or at or below it. LINE_NONE: nobody.
size_t line_next(const struct line *l, const struct line_seeker *s, size_t from, int32_t limit);
// The last that suits before `from`, with an Elo of at least `limit`; all at or below the seeker's Elo.
size_t line_previous(const struct line *l, const struct line_seeker *s, size_t from, int32_t limit);
