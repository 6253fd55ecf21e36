// Small beginnings for scenarios: few objects, each of them with a part to play.
#pragma once

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

void pair_of_one(void);  // two agents that play one match at a time
void pair_of_two(void);  // two at a time
void three(void);
void agent_alone(void);  // without a submission

void one_match(void);
void two_matches(void);    // of the same two agents
void three_matches(void);  // of the same two agents
void chain_of_matches(void);
void two_images(void);  // submissions that are scanned
void one_build(void);
void match_and_image(void);

// What the scanner's report says: nothing is wrong.
const char *report(const char *pod);
