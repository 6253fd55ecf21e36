// What is explored: small beginnings, in which everything that can go wrong may go wrong.
#include "scenarios.h"

#include "base/memory.h"

#include "model.h"

#define QUEUE(limit)                                                                                                 \
  "{'kind':'MatchmakingQueue','metadata':{'name':'pong'},'spec':{'environment':{'name':'pong'},"                     \
  "'intervalSeconds':30,'elo':{'initial':1500,'range':100,'step':0,'maxRange':500,'widenSeconds':30},"               \
  "'entryTTLSeconds':86400,'cooldownSeconds':0,'maxMatchesPerAgentPerDay':100,'maxConcurrentMatchesPerAgent':" limit \
  ",'allowSameOwner':false,'match':{'timeoutSeconds':300,'moveMilliseconds':1000,'bankMilliseconds':10000,"          \
  "'startupSeconds':30,'recordReplay':true},'scan':{'failOn':'CRITICAL','ignoreUnfixed':true}}}"
#define AGENT(name)                                                       \
  "{'kind':'Agent','metadata':{'name':'" name "'},'spec':{'owner':'" name \
  "','environment':'pong','matchmaking':{"                                \
  "'enabled':true,'priority':5,'mode':'Continuous'}}}"
// A submission that is Ready already, for scenarios that do not build.
#define READY(name)                                                                                              \
  "{'kind':'Submission','metadata':{'name':'" name "-v1'},'spec':{'agent':'" name                                \
  "','source':{'image':'r.test/x:1'},"                                                                           \
  "'build':{'timeoutSeconds':900,'maxRetries':3}},'status':{'observedGeneration':1,'version':1,'image':'r.test/" \
  "x@sha256:11','conditions':[{'type':'Ready','status':'True','reason':'Ready','message':'',"                    \
  "'lastTransitionTime':'2027-01-15T08:00:00Z'}]}}"
#define MATCH(name, a, b)                                                                                    \
  "{'kind':'Match','metadata':{'name':'" name "'},'spec':{'environment':'pong','participants':[{'agent':'" a \
  "'},{"                                                                                                     \
  "'agent':'" b "'}],'rated':true,'timeoutSeconds':300,'recordReplay':true}}"
// Without an image yet: a ready-made one that has to be scanned, and one that has to be built.
#define IMAGE(name, agent)                                                      \
  "{'kind':'Submission','metadata':{'name':'" name "'},'spec':{'agent':'" agent \
  "','source':{'image':'r.test/x:1'},"                                          \
  "'build':{'timeoutSeconds':900,'maxRetries':1}}}"
#define INLINE(name, agent, retries)                                            \
  "{'kind':'Submission','metadata':{'name':'" name "'},'spec':{'agent':'" agent \
  "','source':{'inline':{'files':{"                                             \
  "'agent.py':'pass'}}},'build':{'timeoutSeconds':900,'maxRetries':" retries "}}}"

// ---- beginnings ----------------------------------------------------------------------------------

static void pair(const char *queue) {
  object_apply(queue);
  object_apply(AGENT("ann"));
  object_apply(READY("ann"));
  object_apply(AGENT("bob"));
  object_apply(READY("bob"));
}

static void pair_of_one(void) {
  pair(QUEUE("1"));
}

static void pair_of_two(void) {
  pair(QUEUE("2"));
}

static void three(void) {
  pair(QUEUE("1"));
  object_apply(AGENT("cat"));
  object_apply(READY("cat"));
}

static void agent_alone(void) {
  object_apply(QUEUE("1"));
  object_apply(AGENT("ann"));
}

// ---- what happens to them ------------------------------------------------------------------------

static void one_match(void) {
  object_apply(MATCH("m1", "ann", "bob"));
}

static void two_matches(void) {
  object_apply(MATCH("m1", "ann", "bob"));
  object_apply(MATCH("m2", "bob", "ann"));
}

static void chain_of_matches(void) {
  object_apply(MATCH("m1", "ann", "bob"));
  object_apply(MATCH("m2", "bob", "cat"));
}

static void two_images(void) {
  object_apply(IMAGE("s1", "ann"));
  object_apply(IMAGE("s2", "ann"));
}

static void one_build(void) {
  object_apply(INLINE("s1", "ann", "1"));
}

// The scanner's report, as `fetch report` prints it.
static const char *report(const char *pod) {
  (void)pod;
  return "{\"digest\":\"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"repoDigest\":\"\","
         "\"databaseDate\":\"2026-01-02T03:04:05Z\",\"scannerVersion\":\"0.74.0\",\"counts\":{\"critical\":{\"total\":"
         "0,"
         "\"fixable\":0},\"high\":{\"total\":0,\"fixable\":0},\"medium\":{\"total\":0,\"fixable\":0},\"low\":{"
         "\"total\":0,"
         "\"fixable\":0},\"unknown\":{\"total\":0,\"fixable\":0}},\"findings\":[]}\n";
}

// ---- bounds --------------------------------------------------------------------------------------

#define MATCHES .looks = {[RECONCILE_AGENT] = true, [RECONCILE_MATCH] = true}
#define SUBMISSIONS .looks = {[RECONCILE_AGENT] = true, [RECONCILE_SUBMISSION] = true}
#define MATCHMAKING .looks = {[RECONCILE_AGENT] = true, [RECONCILE_MATCH] = true, [RECONCILE_QUEUE] = true}
#define ALL_KINDS .looks = {[RECONCILE_AGENT] = true, [RECONCILE_MATCH] = true, [RECONCILE_SUBMISSION] = true}
#define LAG(n) .lag = {n, n, n, n, n, n, n}
#define WRITES (BIT(FAULT_CRASH) | BIT(FAULT_LOST_ANSWER) | BIT(FAULT_REFUSED))
#define CACHES (BIT(FAULT_RELIST) | BIT(FAULT_LOOK))
#define CALLS (BIT(FAULT_BUSY) | BIT(FAULT_UNAVAILABLE) | BIT(FAULT_EXECUTOR))
#define PODS (BIT(FAULT_EVICTED) | BIT(FAULT_POD_DELETED) | BIT(FAULT_EXITED))
#define PLAYED BIT(RESULT_FIRST)
#define ODD_ENDS (BIT(RESULT_FIRST) | BIT(RESULT_DISCONNECT) | BIT(RESULT_BOTH) | BIT(RESULT_ERROR))
#define JOBS (BIT(JOB_OK) | BIT(JOB_BREAKS) | BIT(JOB_REFUSED) | BIT(JOB_EVICTED))
#define TIME .ticks = 8, .horizon = 600 * 1000
#define REMOVALS                                           \
  .removals = {{"Match", "m1", MATCH("m1", "bob", "cat")}, \
               {"Agent", "ann", AGENT("ann")},             \
               {"Agent", "bob", NULL},                     \
               {"Submission", "ann-v1", NULL},             \
               {"MatchmakingQueue", "pong", QUEUE("1")}}
#define BUILD_REMOVALS                                         \
  .removals = {{"Submission", "s1", INLINE("s1", "ann", "1")}, \
               {"Agent", "ann", AGENT("ann")},                 \
               {"MatchmakingQueue", "pong", QUEUE("1")}}

const struct scenario SCENARIOS_QUICK[] = {
    {.name = "one match",
     .begin = pair_of_one,
     .then = one_match,
     MATCHES,
     LAG(0),
     .faults = 1,
     .may = WRITES | CACHES | CALLS | PODS | BIT(FAULT_EARLY),
     .results = ODD_ENDS,
     .slow_pods = true,
     TIME,
     .limit = 1},
    {.name = "one match, late events",
     .begin = pair_of_one,
     .then = one_match,
     MATCHES,
     LAG(1),
     .faults = 1,
     .may = WRITES | CACHES,
     .results = PLAYED,
     TIME,
     .limit = 1},
    {.name = "two at once",
     .begin = pair_of_two,
     .then = two_matches,
     MATCHES,
     LAG(0),
     .faults = 1,
     .may = WRITES,
     .results = PLAYED,
     .any = true,
     TIME,
     .limit = 2},
    {.name = "two in turn",
     .begin = pair_of_one,
     .then = two_matches,
     MATCHES,
     LAG(0),
     .faults = 1,
     .may = BIT(FAULT_CRASH),
     .results = PLAYED,
     .any = true,
     TIME,
     .limit = 1},
    {.name = "users",
     .begin = three,
     .then = one_match,
     MATCHES,
     LAG(0),
     .faults = 1,
     .may = BIT(FAULT_USER),
     .results = PLAYED,
     REMOVALS,
     .slow_gc = true,
     TIME,
     .limit = 1},
    {.name = "two images",
     .begin = agent_alone,
     .then = two_images,
     .log = report,
     SUBMISSIONS,
     LAG(1),
     .faults = 0,
     .may = WRITES,
     .job_ends = BIT(JOB_OK),
     TIME,
     .limit = 1},
    {.name = "one build",
     .begin = agent_alone,
     .then = one_build,
     .log = report,
     SUBMISSIONS,
     LAG(0),
     .faults = 1,
     .may = WRITES | CACHES | BIT(FAULT_JOB_DELETED) | BIT(FAULT_USER),
     .job_ends = JOBS,
     BUILD_REMOVALS,
     TIME,
     .limit = 1},
    {.name = "matchmaking",
     .begin = pair_of_one,
     MATCHMAKING,
     LAG(0),
     .faults = 0,
     .may = WRITES,
     .results = PLAYED,
     .ticks = 2,
     .horizon = 60000,
     .limit = 1},
};
const size_t SCENARIOS_QUICK_COUNT = array_size(SCENARIOS_QUICK);
const struct scenario SCENARIOS_DEEP[] = {
    {.name = "chain",
     .begin = three,
     .then = chain_of_matches,
     MATCHES,
     LAG(1),
     .faults = 1,
     .may = BIT(FAULT_CRASH),
     .results = PLAYED,
     .any = true,
     TIME,
     .limit = 1},
    {.name = "whole life",
     .begin = agent_alone,
     .then = one_build,
     .log = report,
     .job_ends = BIT(JOB_OK),
     ALL_KINDS,
     LAG(1),
     .faults = 1,
     .may = BIT(FAULT_CRASH),
     .results = PLAYED,
     .any = true,
     TIME,
     .limit = 1},
};
const size_t SCENARIOS_DEEP_COUNT = array_size(SCENARIOS_DEEP);
