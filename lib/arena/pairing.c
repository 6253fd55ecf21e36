#include "arena/pairing.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

#include "pairing_line.h"
#include "pairing_order.h"
#include "pairing_recent.h"

enum { ELO_BOUND = 1000000000 };  // sums of an Elo and a range stay within 32 bits

// A pair of this pass, kept at each of its two so that a later round does not make it again.
struct met {
  uint32_t position;
  uint32_t before;  // index + 1 of the next older one, 0: none
};

// Turns count 0.. in the order in which agents choose; positions count 0.. by Elo, then turn.
struct pass {
  const struct pairing_agent *input;
  struct keyed *turns;        // by turn: index into the input
  uint32_t *position;         // by turn
  uint32_t *turn;             // by position
  uint32_t *group;            // by position: the first position of the same Elo
  int32_t *room;              // by position
  struct line_agent *agents;  // by position
  struct line line;
  uint32_t *barred;                    // by position: number of the choice in which it must not be taken
  uint32_t choices;                    // made so far
  const struct recent_agent **recent;  // by turn; NULL without recent pairs
  uint32_t *recent_position;           // by number of a recent agent: position + 1; 0: does not wait
  struct met *met;
  uint32_t *last_met;  // by position: index + 1 into met; NULL when nobody has room for two
  uint32_t met_count, met_room;
  struct pairing_pair *ret;
  size_t pairs, max_pairs;
};

int32_t pairing_range(const struct pairing_rules *rules, msec enqueued, msec now) {
  if (rules->range >= rules->max_range) return rules->max_range;
  if (now <= enqueued || rules->widen_seconds <= 0 || rules->step <= 0) return rules->range;
  int64_t steps = (now - enqueued) / 1000 / rules->widen_seconds;
  int64_t steps_to_max = ((int64_t)rules->max_range - rules->range + rules->step - 1) / rules->step;
  return steps >= steps_to_max ? rules->max_range : (int32_t)(rules->range + steps * rules->step);
}

static int32_t clamp(int32_t n, int32_t lowest) {
  return n < lowest ? lowest : n > ELO_BOUND ? ELO_BOUND : n;
}

// Positions: a stable sort by Elo of what is in the order of turns.
static void place(struct pass *p, size_t count, const struct pairing_rules *rules, msec now, struct keyed *scratch) {
  uint32_t *owners = mem_alloc(count * sizeof(*owners));
  if (!rules->allow_same_owner) order_owners(p->input, p->turns, count, owners, scratch);
  for (uint32_t t = 0; t < count; t++) {
    int32_t elo = clamp(p->input[p->turns[t].index].elo, -ELO_BOUND);
    scratch[t] = (struct keyed){.key = (uint64_t)((int64_t)elo + ELO_BOUND), .index = t};
  }
  order_sort(scratch, scratch + count, count);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t t = scratch[i].index;
    const struct pairing_agent *a = &p->input[p->turns[t].index];
    p->position[t] = i;
    p->turn[i] = t;
    p->group[i] = i > 0 && scratch[i].key == scratch[i - 1].key ? p->group[i - 1] : i;
    p->room[i] = a->room;
    p->agents[i] = (struct line_agent){
        .elo = clamp(a->elo, -ELO_BOUND),
        .range = clamp(pairing_range(rules, a->enqueued, now), 0),
        .owner = rules->allow_same_owner ? i : owners[t],  // everybody its own: only itself is excluded
    };
  }
  free(owners);
}

static void find_recent(struct pass *p, size_t count, const struct pairing_recent *recent) {
  size_t known = recent_count(recent);
  if (known == 0) return;
  p->recent = mem_alloc(count * sizeof(*p->recent));
  p->recent_position = mem_alloc(known * sizeof(*p->recent_position));
  for (uint32_t t = 0; t < count; t++) {
    p->recent[t] = recent_find(recent, p->input[p->turns[t].index].id);
    if (p->recent[t]) p->recent_position[p->recent[t]->number] = p->position[t] + 1;
  }
}

static void bar(struct pass *p, uint32_t turn) {
  p->choices++;
  const struct recent_agent *r = p->recent ? p->recent[turn] : NULL;
  for (uint32_t i = 0; r && i < r->count; i++) {
    uint32_t position = p->recent_position[r->opponents[i]];
    if (position) p->barred[position - 1] = p->choices;
  }
  if (!p->last_met) return;
  for (uint32_t i = p->last_met[p->position[turn]]; i; i = p->met[i - 1].before)
    p->barred[p->met[i - 1].position] = p->choices;
}

static void remember(struct pass *p, uint32_t position, uint32_t with) {
  if (p->met_count == p->met_room) {
    p->met_room = p->met_room ? 2 * p->met_room : 256;
    p->met = mem_grow(p->met, p->met_room, sizeof(*p->met));
  }
  p->met[p->met_count++] = (struct met){.position = with, .before = p->last_met[position]};
  p->last_met[position] = p->met_count;
}

// The partner of the agent at `own`: nearest, then earliest turn.
static size_t choose(const struct pass *p, uint32_t own) {
  const struct line_agent *a = &p->agents[own];
  struct line_seeker seeker = {.elo = a->elo, .owner = a->owner, .barred = p->barred, .turn = p->choices};
  // Those of the same Elo before it have had their turn and are gone.
  size_t above = line_next(&p->line, &seeker, own + 1, a->elo + a->range);
  int32_t distance = above == LINE_NONE ? a->range : p->agents[above].elo - a->elo;
  if (above != LINE_NONE && distance == 0) return above;
  size_t below = line_previous(&p->line, &seeker, own, a->elo - distance);
  if (below == LINE_NONE) return above;
  // That is the latest turn of its Elo; the earliest that suits is wanted.
  below = line_next(&p->line, &seeker, p->group[below], p->agents[below].elo);
  if (above == LINE_NONE || a->elo - p->agents[below].elo < distance) return below;
  return p->turn[below] < p->turn[above] ? below : above;
}

// Each agent gets into at most one pair. Whoever had its turn leaves, also without a partner: to suit
// is mutual, so that nobody who is left would have it. Returns whether another round may find pairs.
static bool play_round(struct pass *p, size_t count) {
  bool again = false;
  line_fill(&p->line, p->room);
  for (uint32_t t = 0; t < count; t++) {
    uint32_t own = p->position[t];
    if (!line_has(&p->line, own)) continue;
    if (p->pairs == p->max_pairs) return false;
    bar(p, t);
    size_t other = choose(p, own);
    line_remove(&p->line, own);
    if (other == LINE_NONE) continue;
    line_remove(&p->line, other);
    p->ret[p->pairs++] = (struct pairing_pair){p->turns[t].index, p->turns[p->turn[other]].index};
    again |= --p->room[own] > 0;
    again |= --p->room[other] > 0;
    if (!p->last_met) continue;
    remember(p, own, (uint32_t)other);
    remember(p, (uint32_t)other, own);
  }
  return again;
}

static void pass_done(struct pass *p) {
  line_done(&p->line);
  free(p->turns);
  free(p->position);
  free(p->turn);
  free(p->group);
  free(p->room);
  free(p->agents);
  free(p->barred);
  free(p->recent);
  free(p->recent_position);
  free(p->met);
  free(p->last_met);
}

size_t pairing_run(const struct pairing_agent *agents, size_t count, const struct pairing_rules *rules,
                   const struct pairing_recent *recent, msec now, struct pairing_pair *ret, size_t max_ret) {
  assert(count < UINT32_MAX / 2);
  struct pass p = {.input = agents, .ret = ret, .max_pairs = max_ret};
  if (rules->max_pairs >= 0 && (size_t)rules->max_pairs < max_ret) p.max_pairs = (size_t)rules->max_pairs;
  struct keyed *scratch cleanup_free = mem_alloc(2 * count * sizeof(*scratch));
  p.turns = mem_alloc(count * sizeof(*p.turns));
  count = order_turns(agents, count, p.turns, scratch);

  p.position = mem_alloc(count * sizeof(*p.position));
  p.turn = mem_alloc(count * sizeof(*p.turn));
  p.group = mem_alloc(count * sizeof(*p.group));
  p.room = mem_alloc(count * sizeof(*p.room));
  p.agents = mem_alloc(count * sizeof(*p.agents));
  p.barred = mem_alloc(count * sizeof(*p.barred));
  place(&p, count, rules, now, scratch);
  find_recent(&p, count, recent);
  for (size_t i = 0; i < count && !p.last_met; i++)
    if (p.room[i] > 1) p.last_met = mem_alloc(count * sizeof(*p.last_met));

  line_init(&p.line, p.agents, count);
  while (play_round(&p, count)) continue;
  pass_done(&p);
  return p.pairs;
}
