// What is explored, and within which bounds. Quick: with every test run. Deep: by hand, for hours.
#include "scenarios.h"

#include "base/memory.h"

#include "beginnings.h"

// What the controller looks at.
#define MATCHES .looks = {[RECONCILE_AGENT] = true, [RECONCILE_MATCH] = true}
#define SUBMISSIONS .looks = {[RECONCILE_AGENT] = true, [RECONCILE_SUBMISSION] = true}
#define MATCHMAKING .looks = {[RECONCILE_AGENT] = true, [RECONCILE_MATCH] = true, [RECONCILE_QUEUE] = true}
#define BUILD_TO_MATCH .looks = {[RECONCILE_AGENT] = true, [RECONCILE_MATCH] = true, [RECONCILE_SUBMISSION] = true}
// How far each cache may be behind.
#define LAG(n) .lag = {n, n, n, n, n, n, n}
#define TIME .ticks = 8, .horizon = 600 * 1000
// What may go wrong.
#define WRITES (BIT(FAULT_CRASH) | BIT(FAULT_LOST_ANSWER) | BIT(FAULT_TWICE) | BIT(FAULT_REFUSED))
#define CACHES (BIT(FAULT_RELIST) | BIT(FAULT_LOOK))
#define CALLS (BIT(FAULT_BUSY) | BIT(FAULT_UNAVAILABLE) | BIT(FAULT_EXECUTOR))
#define PODS (BIT(FAULT_EVICTED) | BIT(FAULT_POD_DELETED) | BIT(FAULT_EXITED))
#define ANY_FAULT (WRITES | CACHES | CALLS | PODS | BIT(FAULT_EARLY))
#define USERS (BIT(FAULT_USER) | BIT(FAULT_JOB_DELETED))
// How games and Jobs end.
#define WON BIT(RESULT_FIRST)
#define WON_OR_LOST (BIT(RESULT_FIRST) | BIT(RESULT_SECOND))
#define ODD_ENDS (BIT(RESULT_FIRST) | BIT(RESULT_DISCONNECT) | BIT(RESULT_BOTH) | BIT(RESULT_ERROR))
#define JOBS (BIT(JOB_OK) | BIT(JOB_BREAKS) | BIT(JOB_REFUSED) | BIT(JOB_EVICTED))
// What users delete, and apply again.
#define MATCH_AGAIN .removals = {{"Match", "m1", MATCH("m1", "bob", "cat")}}
#define MATCH_REMOVALS                                     \
  .removals = {{"Match", "m1", MATCH("m1", "bob", "cat")}, \
               {"Agent", "ann", AGENT("ann")},             \
               {"Agent", "bob", NULL},                     \
               {"Submission", "ann-v1", NULL},             \
               {"MatchmakingQueue", "pong", QUEUE("1")}}
#define BUILD_REMOVALS                                         \
  .removals = {{"Submission", "s1", INLINE("s1", "ann", "1")}, \
               {"Agent", "ann", AGENT("ann")},                 \
               {"MatchmakingQueue", "pong", QUEUE("1")}}

// clang-format off
const struct scenario SCENARIOS_QUICK[] = {
    {.name = "one match, any one fault", .small = true, .begin = pair_of_one, .then = one_match, MATCHES, LAG(0), TIME,
     .faults = 1, .may = ANY_FAULT, .results = ODD_ENDS, .slow_pods = true, .limit = 1},
    {.name = "one match, late events", .small = true, .begin = pair_of_one, .then = one_match, MATCHES, LAG(2), TIME,
     .faults = 1, .may = WRITES | CACHES | BIT(FAULT_POD_DELETED), .results = WON, .split = true, .limit = 1},
    {.name = "two matches at once", .begin = pair_of_two, .then = two_matches, MATCHES, .lag = {[CACHE_MATCHES] = 1}, TIME,
     .faults = 1, .may = BIT(FAULT_CRASH) | BIT(FAULT_LOST_ANSWER) | BIT(FAULT_TWICE), .results = WON, .any = true,
     .limit = 2},
    {.name = "two matches in turn", .begin = pair_of_one, .then = two_matches, MATCHES, LAG(0), TIME,
     .faults = 1, .may = BIT(FAULT_CRASH), .results = WON, .any = true, .limit = 1},
    {.name = "two matches in turn, woken", .begin = pair_of_one, .then = two_matches, MATCHES, LAG(0), TIME,
     .faults = 0, .results = WON | BIT(RESULT_BOTH), .limit = 1},
    {.name = "a new leader's old lists", .begin = pair_of_two, .then = two_matches, MATCHES, LAG(0), TIME,
     .past = 1, .faults = 1, .may = BIT(FAULT_CRASH), .results = WON, .any = true, .limit = 2},
    {.name = "users", .small = true, .begin = three, .then = one_match, MATCHES, LAG(0), TIME,
     .faults = 1, .may = USERS, .results = WON, MATCH_REMOVALS, .any = true, .limit = 1},
    {.name = "a match is applied again", .begin = three, .then = one_match, MATCHES, LAG(0), TIME,
     .faults = 1, .may = USERS, .results = WON, MATCH_AGAIN, .any = true, .slow_gc = true, .limit = 1},
    {.name = "two submissions", .small = true, .begin = agent_alone, .then = two_images, .log = report, SUBMISSIONS, LAG(1), TIME,
     .faults = 1, .may = BIT(FAULT_CRASH), .job_ends = BIT(JOB_OK), .limit = 1},
    {.name = "one build", .begin = agent_alone, .then = one_build, .log = report, SUBMISSIONS, LAG(0), TIME,
     .faults = 1, .may = WRITES | CACHES | BIT(FAULT_JOB_DELETED), .job_ends = JOBS, .any = true, .limit = 1},
    {.name = "one build, users", .begin = agent_alone, .then = one_build, .log = report, SUBMISSIONS, LAG(0), TIME,
     .faults = 1, .may = USERS, .job_ends = BIT(JOB_OK), BUILD_REMOVALS, .slow_gc = true, .limit = 1},
    {.name = "matchmaking", .small = true, .begin = pair_of_one, MATCHMAKING, LAG(0), .horizon = 10 * 1000,
     .faults = 1, .may = WRITES, .results = WON, .any = true, .limit = 1},
    {.name = "a made match is deleted", .small = true, .begin = pair_of_one, MATCHMAKING, LAG(0), .horizon = 10 * 1000,
     .faults = 1, .may = BIT(FAULT_USER), .removals = {{"Match", NULL, NULL}}, .results = WON, .any = true, .split = true, .limit = 1},
    {.name = "from scan to match", .begin = agent_alone, .then = match_and_image, .log = report, BUILD_TO_MATCH, LAG(0), TIME,
     .faults = 0, .results = WON, .job_ends = BIT(JOB_OK), .any = true, .limit = 1},
};
const size_t SCENARIOS_QUICK_COUNT = array_size(SCENARIOS_QUICK);

const struct scenario SCENARIOS_DEEP[] = {
    {.name = "one match, any two faults", .begin = pair_of_one, .then = one_match, MATCHES, LAG(1), TIME,
     .faults = 2, .may = ANY_FAULT, .results = ODD_ENDS, .slow_pods = true, .limit = 1},
    {.name = "one match, late events", .begin = pair_of_one, .then = one_match, MATCHES, LAG(3), TIME,
     .faults = 2, .may = WRITES | CACHES, .results = WON, .slow_pods = true, .split = true, .limit = 1},
    {.name = "two matches at once, any one fault", .begin = pair_of_two, .then = two_matches, MATCHES, LAG(1), TIME,
     .faults = 1, .may = ANY_FAULT, .results = WON_OR_LOST, .limit = 2},
    {.name = "two matches at once, any two faults", .begin = pair_of_two, .then = two_matches, MATCHES, LAG(1), TIME,
     .faults = 2, .may = WRITES | CACHES, .results = WON, .any = true, .limit = 2},
    {.name = "three matches at once", .begin = pair_of_two, .then = three_matches, MATCHES, LAG(1), TIME,
     .faults = 0, .results = WON, .any = true, .limit = 2},
    {.name = "two matches in turn, any one fault", .begin = pair_of_one, .then = two_matches, MATCHES, LAG(1), TIME,
     .faults = 1, .may = ANY_FAULT, .results = WON_OR_LOST, .limit = 1},
    {.name = "two matches in turn, any two faults", .begin = pair_of_one, .then = two_matches, MATCHES, LAG(1), TIME,
     .faults = 2, .may = WRITES | CACHES, .results = WON, .any = true, .limit = 1},
    {.name = "a chain of matches", .begin = three, .then = chain_of_matches, MATCHES, LAG(1), TIME,
     .faults = 1, .may = WRITES | CACHES, .results = WON, .any = true, .limit = 1},
    {.name = "users and crashes", .begin = three, .then = one_match, MATCHES, LAG(1), TIME,
     .faults = 2, .may = USERS | WRITES | CACHES, .results = WON, MATCH_REMOVALS, .slow_gc = true, .slow_pods = true, .any = true,
     .limit = 1},
    {.name = "two submissions", .begin = agent_alone, .then = two_images, .log = report, SUBMISSIONS, LAG(2), TIME,
     .faults = 2, .may = WRITES | CACHES | BIT(FAULT_JOB_DELETED), .job_ends = BIT(JOB_OK), .limit = 1},
    {.name = "one build", .begin = agent_alone, .then = one_build, .log = report, SUBMISSIONS, LAG(1), TIME,
     .faults = 2, .may = WRITES | CACHES | USERS, .job_ends = JOBS, BUILD_REMOVALS, .slow_gc = true, .limit = 1},
    {.name = "matchmaking", .begin = pair_of_one, MATCHMAKING, LAG(1), .ticks = 2, .horizon = 60 * 1000,
     .faults = 1, .may = WRITES | CACHES, .results = WON, .any = true, .limit = 1},
    {.name = "from scan to match", .begin = agent_alone, .then = match_and_image, .log = report, BUILD_TO_MATCH, LAG(1), TIME,
     .faults = 1, .may = WRITES | CACHES, .results = WON, .job_ends = BIT(JOB_OK), .any = true, .limit = 1},
};
const size_t SCENARIOS_DEEP_COUNT = array_size(SCENARIOS_DEEP);
// clang-format on
