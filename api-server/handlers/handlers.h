// What routes.c points to: one function for each route, in the file of its subject. Each answers its exchange exactly
// once.
#pragma once

#include "exchange.h"

// auth.c
void handle_register(struct exchange *x);
void handle_login(struct exchange *x);
void handle_refresh(struct exchange *x);
void handle_change_password(struct exchange *x);

// users.c
void handle_get_me(struct exchange *x);
void handle_change_me(struct exchange *x);

// environments.c, queue.c
void handle_list_environments(struct exchange *x);
void handle_get_environment(struct exchange *x);
void handle_get_queue(struct exchange *x);
void handle_enqueue(struct exchange *x);
void handle_dequeue(struct exchange *x);

// agents.c
void handle_list_agents(struct exchange *x);
void handle_my_agents(struct exchange *x);
void handle_get_agent(struct exchange *x);
void handle_agent_stats(struct exchange *x);
void handle_create_agent(struct exchange *x);
void handle_change_agent(struct exchange *x);
void handle_delete_agent(struct exchange *x);

// leaderboard.c
void handle_leaderboard(struct exchange *x);
void handle_environment_leaderboard(struct exchange *x);

// matches.c, matches_create.c
void handle_list_matches(struct exchange *x);
void handle_agent_matches(struct exchange *x);
void handle_get_match(struct exchange *x);
void handle_create_match(struct exchange *x);

// service.c
void handle_health(struct exchange *x);
void handle_ready(struct exchange *x);
void handle_metrics(struct exchange *x);
void handle_openapi(struct exchange *x);
void handle_docs(struct exchange *x);

// submissions.c, submission_upload.c, submission_code.c, build_logs.c
void handle_create_submission(struct exchange *x);
void handle_get_submission(struct exchange *x);
void handle_agent_submissions(struct exchange *x);
void handle_build_status(struct exchange *x);
void handle_scan(struct exchange *x);
void handle_activate(struct exchange *x);
void handle_rebuild(struct exchange *x);
void handle_submission_code(struct exchange *x);
void handle_build_logs(struct exchange *x);

// replays.c
void handle_list_replays(struct exchange *x);
void handle_get_replay(struct exchange *x);
void handle_replay_url(struct exchange *x);

// internal.c: of the internal port
void handle_internal_source(struct exchange *x);
void handle_internal_put_replay(struct exchange *x);
void handle_internal_get_replay(struct exchange *x);
