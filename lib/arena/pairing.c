#include "arena/pairing.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

#include "pairing_line.h"
#include "pairing_order.h"
#include "pairing_recent.h"

enum { AHEAD = 8 };
enum { ELO_BOUND = 1000000000 };  // sums of an Elo and a range stay within 32 bits

// A pair of this pass, kept at the one that chose, so that a later round does not make it again: there
// it chooses before the other, too.
struct met {
  uint32_t position;
  uint32_t before;  // index + 1 of the next older one, 0: none
};

// Turns count 0.. in the order in which agents choose; positions count 0.. by Elo, then turn.
struct pass {
  const struct pairing_agent *input;
  struct keyed *turns;  // by turn: index into the input
  uint32_t *position;   // by turn
  uint32_t *turn;       // by position
  uint32_t *group;      // by position: the first position of the same Elo
  int32_t *room;        // by position
  struct line line;
  uint32_t choices;                     // made so far
  const struct pairing_recent *recent;  // NULL: no recent pairs
  uint32_t *recent_number;              // by input: number among the recent, or WORDS_NONE
  uint32_t *recent_position;            // by number: position + 1; 0: does not wait
  struct met *met;
  uint32_t *last_met;  // by position: index + 1 into met; NULL when nobody has room for two
  uint32_t met_count, met_room;
  struct pairing_pair *ret;
  size_t pairs, max_pairs;
};

int32_t pairing_range(const struct pairing_rules *rules, msec enqueued, msec now) {
  if (rules->range >= rules->max_range) return rules->max_range;
  if (rules->widen_seconds <= 0 || rules->step <= 0) return rules->range;
  // From a clock that has been set back: how long it has waited is not known, and the old time is not waited for.
  if (enqueued - now > (msec)rules->widen_seconds * 1000) return rules->max_range;
  if (now <= enqueued) return rules->range;
  int64_t steps = (now - enqueued) / 1000 / rules->widen_seconds;
  int64_t steps_to_max = ((int64_t)rules->max_range - rules->range + rules->step - 1) / rules->step;
  return steps >= steps_to_max ? rules->max_range : (int32_t)(rules->range + steps * rules->step);
}

static int32_t clamp(int32_t n, int32_t lowest) {
  return n < lowest ? lowest : n > ELO_BOUND ? ELO_BOUND : n;
}

// By input: a number for each owner; everybody has its own where owners do not matter.
static uint32_t *number_owners(const struct pass *p, size_t count, const struct pairing_rules *rules) {
  uint32_t *numbers = mem_alloc(count * sizeof(*numbers));
  if (rules->allow_same_owner) {
    for (uint32_t i = 0; i < count; i++) numbers[i] = i;
    return numbers;
  }
  const char **texts cleanup_free = mem_alloc(count * sizeof(*texts));
  for (size_t i = 0; i < count; i++) texts[i] = p->input[i].owner ? p->input[i].owner : "";
  struct words owners = {0};
  words_add_all(&owners, texts, count, numbers);
  words_done(&owners);
  return numbers;
}

// Positions: a stable sort by Elo of what is in the order of turns.
static void place(struct pass *p, size_t count, const struct pairing_rules *rules, msec now, const uint32_t *owners,
                  struct keyed *scratch) {
  struct line_agent *by_turn cleanup_free = mem_alloc(count * sizeof(*by_turn));
  for (uint32_t t = 0; t < count; t++) {
    const struct pairing_agent *a = &p->input[p->turns[t].index];
    by_turn[t] = (struct line_agent){
        .elo = clamp(a->elo, -ELO_BOUND),
        .range = clamp(pairing_range(rules, a->enqueued, now), 0),
        .owner = owners[p->turns[t].index],
    };
    scratch[t] = (struct keyed){.key = (uint64_t)((int64_t)by_turn[t].elo + ELO_BOUND), .index = t};
  }
  order_sort(scratch, scratch + count, count);
  struct line_agent *agents = mem_alloc(count * sizeof(*agents));
  for (uint32_t i = 0; i < count; i++) {
    uint32_t t = scratch[i].index;
    p->position[t] = i;
    p->turn[i] = t;
    p->group[i] = i > 0 && scratch[i].key == scratch[i - 1].key ? p->group[i - 1] : i;
    agents[i] = by_turn[t];
  }
  for (uint32_t t = 0; t < count; t++) p->room[p->position[t]] = p->input[p->turns[t].index].room;
  line_init(&p->line, agents, count);
}

static void find_recent(struct pass *p, size_t input_count, size_t count, const struct pairing_recent *recent) {
  if (!recent || recent->numbers.count == 0) return;
  p->recent = recent;
  p->recent_number = mem_alloc(input_count * sizeof(*p->recent_number));
  p->recent_position = mem_alloc(recent->numbers.count * sizeof(*p->recent_position));
  const char **ids cleanup_free = mem_alloc(input_count * sizeof(*ids));
  for (size_t i = 0; i < input_count; i++) ids[i] = p->input[i].id;
  words_find_all(&recent->numbers, ids, input_count, p->recent_number);
  for (uint32_t t = 0; t < count; t++) {
    uint32_t number = p->recent_number[p->turns[t].index];
    if (number != WORDS_NONE) p->recent_position[number] = p->position[t] + 1;
  }
}

// Begins a choice: marks those whom the agent at this turn must not have.
static void bar(struct pass *p, uint32_t turn) {
  struct line_agent *agents = p->line.agents;
  p->choices++;
  uint32_t number = p->recent ? p->recent_number[p->turns[turn].index] : WORDS_NONE;
  if (number != WORDS_NONE) {
    const struct recent_agent *r = &p->recent->agents[number];
    for (uint32_t i = 0; i < r->count; i++) {
      uint32_t position = p->recent_position[r->opponents[i]];
      if (position) agents[position - 1].barred = p->choices;
    }
  }
  if (!p->last_met) return;
  for (uint32_t i = p->last_met[p->position[turn]]; i; i = p->met[i - 1].before)
    agents[p->met[i - 1].position].barred = p->choices;
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
  const struct line_agent *agents = p->line.agents, *a = &agents[own];
  struct line_seeker seeker = {.elo = a->elo, .owner = a->owner, .turn = p->choices};
  // Those of the same Elo before it have had their turn and are gone.
  size_t above = line_next(&p->line, &seeker, own + 1, a->elo + a->range);
  int32_t distance = above == LINE_NONE ? a->range : agents[above].elo - a->elo;
  if (above != LINE_NONE && distance == 0) return above;
  size_t below = line_previous(&p->line, &seeker, own, a->elo - distance);
  if (below == LINE_NONE) return above;
  // That is the latest turn of its Elo; the earliest that suits is wanted.
  below = line_next(&p->line, &seeker, p->group[below], agents[below].elo);
  if (above == LINE_NONE || a->elo - agents[below].elo < distance) return below;
  return p->turn[below] < p->turn[above] ? below : above;
}

// Each agent gets into at most one pair. Whoever had its turn leaves, also without a partner: to suit
// is mutual, so that nobody who is left would have it. Returns whether another round may find pairs.
static bool play_round(struct pass *p, size_t count) {
  bool again = false;
  line_fill(&p->line, p->room);
  for (uint32_t t = 0; t < count; t++) {
    uint32_t own = p->position[t];
    // The line is far larger than the fast caches, and turns jump about in it.
    if (t + AHEAD < count) __builtin_prefetch(&p->line.agents[p->position[t + AHEAD]], 1);
    if (!p->line.present[own]) continue;
    if (p->pairs == p->max_pairs) return false;
    bar(p, t);
    size_t other = choose(p, own);
    line_remove(&p->line, own);
    if (other == LINE_NONE) continue;
    line_remove(&p->line, other);
    p->ret[p->pairs++] = (struct pairing_pair){p->turns[t].index, p->turns[p->turn[other]].index};
    again |= --p->room[own] > 0;
    again |= --p->room[other] > 0;
    if (p->last_met) remember(p, own, (uint32_t)other);
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
  free(p->recent_number);
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
  uint32_t *owners cleanup_free = number_owners(&p, count, rules);
  p.turns = mem_alloc(count * sizeof(*p.turns));
  size_t waiting = order_turns(agents, count, p.turns, scratch);

  p.position = mem_alloc(waiting * sizeof(*p.position));
  p.turn = mem_alloc(waiting * sizeof(*p.turn));
  p.group = mem_alloc(waiting * sizeof(*p.group));
  p.room = mem_alloc(waiting * sizeof(*p.room));
  place(&p, waiting, rules, now, owners, scratch);
  find_recent(&p, count, waiting, recent);
  for (size_t i = 0; i < waiting && !p.last_met; i++)
    if (p.room[i] > 1) p.last_met = mem_alloc(waiting * sizeof(*p.last_met));

  while (play_round(&p, waiting)) continue;
  pass_done(&p);
  return p.pairs;
}
