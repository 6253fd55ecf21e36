// What the ledger keeps.
#pragma once

#include "arena/resources.h"

#include "model.h"

enum { RECORDS_MAX = 32, ELO_INITIAL = 1500 };

struct record {
  char *match, *agent;  // uids
  int number, before, after;
  enum outcome outcome;
  bool applied;   // it is in the agent's rating
  bool orphaned;  // its match was deleted
  bool voided;    // for good: deleted before the agent was rated, and its number given again
};

struct version {
  int number;
  char *agent, *submission;  // uids
};

struct begun {
  char *job, *owner;
  unsigned times;
};

struct ledger {
  struct record records[RECORDS_MAX];
  unsigned record_count;
  struct version versions[RECORDS_MAX];
  unsigned version_count;
  struct begun begun[RECORDS_MAX];
  unsigned begun_count;
};

extern struct ledger *ledger;

struct record *ledger_record(const char *agent, int number);  // NULL: none, or void
struct rating ledger_replay(const char *agent, int count);    // elo -1: a record is missing
bool object_is_finished_match(const struct object *o);
