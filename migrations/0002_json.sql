-- The shapes of the REST contract, made where the rows are: a handler runs one statement and sends what it gives.
-- A function whose body has neither FROM nor a subselect is taken into the statement that calls it; so the shapes call
-- small functions for what they look up.

-- RFC 3339 in UTC, with milliseconds.
CREATE FUNCTION rfc3339(t timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- The environment of the name: the one there is, else the last there was.
CREATE FUNCTION environment_id(environment text) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT e.id FROM environments e WHERE e.name = environment
    ORDER BY e.vanished_at DESC NULLS FIRST LIMIT 1
$$;

-- What a request calls an environment, its id or its name, as its name; NULL: there is none. The living ones only.
CREATE FUNCTION environment_name(asked text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT e.name FROM environments e WHERE (e.name = asked OR e.id::text = lower(asked)) AND e.vanished_at IS NULL
    ORDER BY e.name = asked DESC LIMIT 1
$$;

-- ---- users ------------------------------------------------------------------------------------

CREATE FUNCTION user_json(u users) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object(
        'id', u.id, 'username', u.username, 'email', u.email, 'fullName', u.full_name, 'avatarUrl', u.avatar_url,
        'createdAt', rfc3339(u.created_at), 'updatedAt', rfc3339(u.updated_at))
$$;

CREATE FUNCTION user_id(name text) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT u.id FROM users u WHERE u.username = name
$$;

-- ---- environments -----------------------------------------------------------------------------

CREATE FUNCTION queue_waiting(of_environment text) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT count(*) FROM matchmaking_queue q WHERE q.environment = of_environment
$$;

CREATE FUNCTION environment_status(e environments) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN e.vanished_at IS NOT NULL THEN 'unavailable' WHEN e.paused THEN 'paused'
                WHEN e.ready THEN 'open' ELSE 'unavailable' END
$$;

CREATE FUNCTION environment_json(e environments) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object(
        'id', e.id, 'name', e.name, 'displayName', e.display_name, 'description', e.description,
        'players', e.players, 'status', environment_status(e), 'message', e.message,
        'waiting', queue_waiting(e.name), 'playing', e.playing, 'matchedTotal', e.matched_total,
        'medianWaitSeconds', e.median_wait_seconds, 'initialElo', e.elo_initial, 'allowSameOwner', e.allow_same_owner,
        'lastRunAt', rfc3339(e.last_run_at), 'nextRunAt', rfc3339(e.next_run_at),
        'createdAt', rfc3339(e.created_at))
$$;

-- ---- agents -----------------------------------------------------------------------------------

CREATE FUNCTION agent_is_ranked(a agents) RETURNS bool LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT a.active_submission IS NOT NULL AND a.vanished_at IS NULL
$$;

-- Its place in its environment: by elo, then fewer matches, then older. NULL: not ranked. (Written so that the index
-- agents_ranking is walked from the top down to the agent.)
CREATE FUNCTION agent_rank(a agents) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN agent_is_ranked(a) THEN 1 + (
        SELECT count(*) FROM agents b
        WHERE b.environment = a.environment AND b.active_submission IS NOT NULL AND b.vanished_at IS NULL
          AND b.elo >= a.elo
          AND (b.elo > a.elo OR (b.rated_matches, b.created_at, b.id) < (a.rated_matches, a.created_at, a.id))) END
$$;

CREATE FUNCTION agent_status(a agents) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN a.vanished_at IS NOT NULL THEN 'deleted'
        WHEN a.suspended OR a.queue_state = 'Suspended' THEN 'suspended'
        WHEN a.active_submission IS NOT NULL THEN 'active'
        ELSE coalesce((
            SELECT CASE WHEN s.status IN ('build_failed', 'failed', 'rejected') THEN 'failed' ELSE 'processing' END
            FROM submissions s WHERE s.agent_id = a.id AND s.vanished_at IS NULL
            ORDER BY s.version = 0 DESC, s.version DESC, s.created_at DESC LIMIT 1), 'pending') END
$$;

CREATE FUNCTION agent_name(agent uuid, otherwise text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce((SELECT a.display_name FROM agents a WHERE a.id = agent), otherwise)
$$;

CREATE FUNCTION agent_environment(agent uuid) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT a.environment FROM agents a WHERE a.id = agent
$$;

-- The id of the submission of that name; when there were several, of the one there is, else the last.
CREATE FUNCTION submission_id(name text) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT s.id FROM submissions s WHERE s.object_name = name
    ORDER BY s.vanished_at DESC NULLS FIRST, s.created_at DESC LIMIT 1
$$;

CREATE FUNCTION agent_json(a agents, rank bigint) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object(
        'id', a.id, 'userId', user_id(a.owner), 'username', a.owner,
        'name', a.display_name, 'description', a.description,
        'environmentId', environment_id(a.environment), 'environmentName', a.environment,
        'elo', a.elo, 'score', a.elo, 'wins', a.wins, 'losses', a.losses, 'draws', a.draws,
        'totalMatches', a.rated_matches, 'provisional', a.provisional, 'status', agent_status(a),
        'createdAt', rfc3339(a.created_at), 'updatedAt', rfc3339(a.updated_at), 'rank', rank)
    || jsonb_strip_nulls(jsonb_build_object(
        'activeSubmissionId', submission_id(a.active_submission),
        'activeVersion', nullif(a.active_version, 0),
        'message', nullif(a.message, ''),
        'matchmaking', jsonb_build_object(
            'enabled', a.enabled, 'priority', a.priority, 'state', lower(a.queue_state), 'reason', a.queue_reason,
            'enqueuedAt', rfc3339(a.enqueued_at), 'expiresAt', rfc3339(a.expires_at), 'rangeNow', a.range_now)))
$$;

CREATE FUNCTION agent_json(a agents) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT agent_json(a, agent_rank(a))
$$;

-- ---- submissions ------------------------------------------------------------------------------

-- The stored status is what the submission alone says. A Ready one is 'active' when its agent plays it, 'inactive' when
-- the agent plays another and will not come to this one by itself, and 'success' until the agent has chosen.
CREATE FUNCTION submission_status(s submissions) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN s.status <> 'success' THEN s.status ELSE coalesce((
        SELECT CASE WHEN s.vanished_at IS NOT NULL THEN 'inactive'
                    WHEN a.active_submission = s.object_name THEN 'active'
                    WHEN a.pinned = s.object_name THEN 'success'
                    WHEN a.pinned IS NULL AND s.version > a.active_version THEN 'success'
                    WHEN a.pinned IS NULL AND a.active_submission IS NULL THEN 'success'
                    ELSE 'inactive' END
        FROM agents a WHERE a.id = s.agent_id AND a.vanished_at IS NULL), 'inactive') END
$$;

-- `private`: for the owner, with where the code is and what the builder said.
CREATE FUNCTION submission_json(s submissions, private bool) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object(
        'id', s.id, 'agentId', s.agent_id, 'agentName', agent_name(s.agent_id, s.agent_object),
        'environmentId', environment_id(agent_environment(s.agent_id)), 'version', s.version,
        'status', submission_status(s), 'message', coalesce(nullif(s.message, ''), 'It waits for its turn.'),
        'retryCount', greatest(s.attempts - 1, 0), 'isActive', submission_status(s) = 'active',
        'source', s.source_kind, 'createdAt', rfc3339(s.created_at), 'updatedAt', rfc3339(s.updated_at))
    || jsonb_strip_nulls(jsonb_build_object(
        'dockerImageUrl', s.image, 'buildJobName', s.build_job, 'buildPodName', s.build_pod,
        'lastRetryAt', CASE WHEN s.attempts > 1 THEN rfc3339(s.last_attempt_at) END,
        'reason', nullif(s.reason, ''),
        'errorMessage', CASE WHEN private AND s.error_message IS NOT NULL THEN s.error_message
                             WHEN s.status IN ('build_failed', 'failed', 'rejected') THEN s.message END,
        'codeUrl', CASE WHEN private THEN s.code_url END,
        'scan', CASE WHEN private THEN s.scan - 'findings' END))
$$;

-- ---- matches ----------------------------------------------------------------------------------

-- One side's part of a match; `n` is '1' or '2'. The name and the submission's id come from outside.
CREATE FUNCTION match_side_json(n text, id uuid, name text, submission text, version int, score double precision,
                                elo_before int, elo_after int, number int, outcome text, error text)
RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object('agent' || n || 'Id', id, 'agent' || n || 'Name', name)
    || jsonb_strip_nulls(jsonb_build_object(
        'agent' || n || 'SubmissionId', submission_id(submission),
        'agent' || n || 'Version', nullif(version, 0),
        'agent' || n || 'Score', CASE WHEN outcome IS NOT NULL THEN score END,
        'agent' || n || 'Outcome', lower(outcome),
        'agent' || n || 'Error', error,
        'agent' || n || 'Elo', elo_before,
        'agent' || n || 'EloChange', CASE WHEN number IS NOT NULL THEN elo_after - elo_before END))
$$;

-- Why a match ended as it did, when that needs an explanation.
CREATE FUNCTION match_why(m matches) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(m.error_message, ''), nullif(concat_ws(' ',
        CASE WHEN m.outcome1 = 'Forfeit'
             THEN agent_name(m.agent1_id, m.agent1) || ' forfeited: ' || coalesce(m.error1, 'no reason given') END,
        CASE WHEN m.outcome2 = 'Forfeit'
             THEN agent_name(m.agent2_id, m.agent2) || ' forfeited: ' || coalesce(m.error2, 'no reason given') END), ''))
$$;

-- Where its replay is: with us, where one was brought to us, else where the executor keeps it.
CREATE FUNCTION match_replay(match uuid, of_kind text, otherwise text)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN EXISTS (SELECT FROM replays r WHERE r.match_id = match AND r.kind = of_kind)
                THEN '/api/v1/matches/' || match || '/replay?format=' || of_kind ELSE otherwise END
$$;

CREATE FUNCTION match_json(m matches) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT match_side_json('1', m.agent1_id, agent_name(m.agent1_id, m.agent1), m.submission1, m.version1, m.score1,
                           m.elo_before1, m.elo_after1, m.number1, m.outcome1, m.error1)
    || match_side_json('2', m.agent2_id, agent_name(m.agent2_id, m.agent2), m.submission2, m.version2, m.score2,
                       m.elo_before2, m.elo_after2, m.number2, m.outcome2, m.error2)
    || jsonb_build_object(
        'id', m.id, 'environmentId', environment_id(m.environment), 'environmentName', m.environment,
        'status', m.status, 'rated', m.rated, 'isPublic', true, 'createdAt', rfc3339(m.created_at))
    || jsonb_strip_nulls(jsonb_build_object(
        'winnerId', CASE m.winner WHEN 1 THEN m.agent1_id WHEN 2 THEN m.agent2_id END,
        'replayUrl', match_replay(m.id, 'json', m.replay_url),
        'replayHtmlUrl', match_replay(m.id, 'html', m.replay_html_url),
        'errorMessage', match_why(m), 'steps', m.steps, 'seed', m.seed, 'durationMilliseconds', m.milliseconds,
        'startedAt', rfc3339(m.started_at), 'completedAt', rfc3339(m.completed_at)))
$$;
