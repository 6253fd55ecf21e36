-- What a change costs. The functions of 0005 in PL/pgSQL, which keeps their plans for the session (those of SQL are made at
-- each call) and lets each statement see what others committed while it stood in the line. A kept plan may be of a time
-- when the tables were small: it never reads a whole one.

CREATE OR REPLACE FUNCTION store_environments(rows jsonb) RETURNS bigint LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE stored bigint;
BEGIN
    PERFORM mirror_line();
    UPDATE environments t SET vanished_at = now()
    WHERE t.id = ANY (ARRAY(
        SELECT o.id FROM jsonb_to_recordset(rows) AS r (id uuid, name text, resource_version bigint),
            LATERAL (SELECT p.id, p.resource_version FROM environments p
                     WHERE p.name = r.name AND p.vanished_at IS NULL OFFSET 0) o
        WHERE o.id <> r.id AND o.resource_version < r.resource_version));
    WITH changed AS (
        INSERT INTO environments AS t (
            id, name, display_name, description, players, elo_initial, allow_same_owner, paused, ready, reason, message,
            waiting, playing, matched_total, median_wait_seconds, last_run_at, next_run_at, created_at, resource_version, vanished_at)
        SELECT DISTINCT ON (r.name)
            r.id, r.name, r.display_name, coalesce(r.description, ''), r.players, r.elo_initial, r.allow_same_owner,
            r.paused, r.ready, coalesce(r.reason, ''), coalesce(r.message, ''),
            r.waiting, r.playing, r.matched_total, r.median_wait_seconds, r.last_run_at, r.next_run_at, r.created_at,
            r.resource_version,
            CASE WHEN EXISTS (SELECT FROM environments o WHERE o.name = r.name AND o.vanished_at IS NULL
                                                  AND o.id <> r.id) THEN now() END
        FROM jsonb_to_recordset(rows) AS r (
            id uuid, name text, display_name text, description text, players int, elo_initial int,
            allow_same_owner bool, paused bool, ready bool, reason text, message text, waiting int, playing int,
            matched_total bigint, median_wait_seconds int, last_run_at timestamptz, next_run_at timestamptz,
            created_at timestamptz, resource_version bigint)
        ORDER BY r.name, r.resource_version DESC
        ON CONFLICT (id) DO UPDATE SET (
            display_name, description, players, elo_initial, allow_same_owner, paused, ready, reason, message,
            waiting, playing, matched_total, median_wait_seconds, last_run_at, next_run_at, resource_version) = (
            excluded.display_name, excluded.description, excluded.players, excluded.elo_initial,
            excluded.allow_same_owner, excluded.paused, excluded.ready, excluded.reason, excluded.message,
            excluded.waiting, excluded.playing, excluded.matched_total, excluded.median_wait_seconds,
            excluded.last_run_at, excluded.next_run_at, excluded.resource_version)
        WHERE t.resource_version < excluded.resource_version AND t.vanished_at IS NULL
        RETURNING 1)
    SELECT count(*) INTO stored FROM changed;
    RETURN stored;
END $$;

CREATE OR REPLACE FUNCTION store_agents(rows jsonb) RETURNS bigint LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE stored bigint;
BEGIN
    PERFORM mirror_line();
    UPDATE agents t SET vanished_at = now()
    WHERE t.id = ANY (ARRAY(
        SELECT o.id FROM jsonb_to_recordset(rows) AS r (id uuid, object_name text, resource_version bigint),
            LATERAL (SELECT p.id, p.resource_version FROM agents p
                     WHERE p.object_name = r.object_name AND p.vanished_at IS NULL OFFSET 0) o
        WHERE o.id <> r.id AND o.resource_version < r.resource_version));
    WITH changed AS (
        INSERT INTO agents AS t (
            id, object_name, owner, display_name, description, environment, elo, rated_matches, wins, losses, draws, peak,
            provisional, active_submission, active_version, latest_version, pinned, enabled, suspended, priority,
            queue_state, queue_reason, enqueued_at, expires_at, range_now, ready, reason, message, created_at,
            resource_version, vanished_at)
        SELECT DISTINCT ON (r.object_name)
            r.id, r.object_name, r.owner, r.display_name, coalesce(r.description, ''), r.environment,
            coalesce(r.elo, e.elo_initial, 1500), r.rated_matches, r.wins, r.losses, r.draws,
            coalesce(r.peak, e.elo_initial, 1500), r.provisional, r.active_submission, r.active_version,
            r.latest_version, r.pinned, r.enabled, r.suspended, r.priority, r.queue_state, coalesce(r.queue_reason, ''),
            r.enqueued_at, r.expires_at, r.range_now, r.ready, coalesce(r.reason, ''), coalesce(r.message, ''),
            r.created_at, r.resource_version,
            CASE WHEN EXISTS (SELECT FROM agents o WHERE o.object_name = r.object_name AND o.vanished_at IS NULL
                                                  AND o.id <> r.id) THEN now() END
        FROM jsonb_to_recordset(rows) AS r (
            id uuid, object_name text, owner text, display_name text, description text, environment text, elo int,
            rated_matches int, wins int, losses int, draws int, peak int, provisional bool, active_submission text,
            active_version int, latest_version int, pinned text, enabled bool, suspended bool, priority int,
            queue_state text, queue_reason text, enqueued_at timestamptz, expires_at timestamptz, range_now int,
            ready bool, reason text, message text, created_at timestamptz, resource_version bigint)
        LEFT JOIN environments e ON e.name = r.environment AND e.vanished_at IS NULL
        ORDER BY r.object_name, r.resource_version DESC
        ON CONFLICT (id) DO UPDATE SET (
            display_name, description, elo, rated_matches, wins, losses, draws, peak, provisional, active_submission,
            active_version, latest_version, pinned, enabled, suspended, priority, queue_state, queue_reason,
            enqueued_at, expires_at, range_now, ready, reason, message, updated_at, resource_version) = (
            excluded.display_name, excluded.description, excluded.elo, excluded.rated_matches, excluded.wins,
            excluded.losses, excluded.draws, excluded.peak, excluded.provisional, excluded.active_submission,
            excluded.active_version, excluded.latest_version, excluded.pinned, excluded.enabled, excluded.suspended,
            excluded.priority, excluded.queue_state, excluded.queue_reason, excluded.enqueued_at, excluded.expires_at,
            excluded.range_now, excluded.ready, excluded.reason, excluded.message, now(), excluded.resource_version)
        WHERE t.resource_version < excluded.resource_version AND t.vanished_at IS NULL
        RETURNING 1)
    SELECT count(*) INTO stored FROM changed;
    RETURN stored;
END $$;

CREATE OR REPLACE FUNCTION store_submissions(rows jsonb) RETURNS bigint LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE stored bigint;
BEGIN
    WITH changed AS (
        INSERT INTO submissions AS t (
            id, object_name, agent_object, version, status, reason, message, source_kind, code_url, code_sha256, image,
            digest, build_job, build_pod, attempts, last_attempt_at, attempt_reason, error_message, scan, created_at,
            resource_version)
        SELECT DISTINCT ON (r.id)
            r.id, r.object_name, r.agent_object, r.version, r.status, coalesce(r.reason, ''), coalesce(r.message, ''),
            r.source_kind, r.code_url, r.code_sha256, r.image, r.digest, r.build_job, r.build_pod, r.attempts,
            r.last_attempt_at, r.attempt_reason, r.error_message, r.scan, r.created_at, r.resource_version
        FROM jsonb_to_recordset(rows) AS r (
            id uuid, object_name text, agent_object text, version int, status text, reason text, message text,
            source_kind text, code_url text, code_sha256 text, image text, digest text, build_job text, build_pod text,
            attempts int, last_attempt_at timestamptz, attempt_reason text, error_message text, scan jsonb,
            created_at timestamptz, resource_version bigint)
        ORDER BY r.id, r.resource_version DESC
        ON CONFLICT (id) DO UPDATE SET (
            version, status, reason, message, image, digest, build_job, build_pod, attempts, last_attempt_at,
            attempt_reason, error_message, scan, updated_at, resource_version) = (
            excluded.version, excluded.status, excluded.reason, excluded.message, excluded.image, excluded.digest,
            excluded.build_job, excluded.build_pod, excluded.attempts, excluded.last_attempt_at,
            excluded.attempt_reason, excluded.error_message, excluded.scan, now(), excluded.resource_version)
        WHERE t.resource_version < excluded.resource_version AND t.vanished_at IS NULL
        RETURNING 1)
    SELECT count(*) INTO stored FROM changed;
    RETURN stored;
END $$;

CREATE OR REPLACE FUNCTION store_matches(rows jsonb) RETURNS bigint LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE stored bigint;
BEGIN
    WITH changed AS (
        INSERT INTO matches AS t (
            id, object_name, environment, agent1, agent2, agent1_id, agent2_id, submission1, submission2, version1,
            version2, status, winner, score1, score2, outcome1, outcome2, error1, error2, elo_before1, elo_before2,
            elo_after1, elo_after2, number1, number2, rated, rated_done, matchmade, requested_by, seed, steps,
            milliseconds, attempt, replay_url, replay_html_url, replay_sha256, replay_html_sha256, error_message,
            started_at, completed_at, created_at, resource_version)
        SELECT DISTINCT ON (r.id)
            r.id, r.object_name, r.environment, r.agent1, r.agent2, r.agent1_id, r.agent2_id, r.submission1,
            r.submission2, r.version1, r.version2, r.status, r.winner, r.score1, r.score2, r.outcome1, r.outcome2,
            r.error1, r.error2, r.elo_before1, r.elo_before2, r.elo_after1, r.elo_after2, r.number1, r.number2, r.rated,
            r.rated_done, r.matchmade, r.requested_by, r.seed, r.steps, r.milliseconds, r.attempt, r.replay_url,
            r.replay_html_url, r.replay_sha256, r.replay_html_sha256, r.error_message, r.started_at, r.completed_at,
            r.created_at, r.resource_version
        FROM jsonb_to_recordset(rows) AS r (
            id uuid, object_name text, environment text, agent1 text, agent2 text, agent1_id uuid, agent2_id uuid,
            submission1 text, submission2 text, version1 int, version2 int, status text, winner smallint,
            score1 double precision, score2 double precision, outcome1 text, outcome2 text, error1 text, error2 text,
            elo_before1 int, elo_before2 int, elo_after1 int, elo_after2 int, number1 int, number2 int, rated bool,
            rated_done bool, matchmade bool, requested_by text, seed bigint, steps bigint, milliseconds bigint,
            attempt int, replay_url text, replay_html_url text, replay_sha256 text, replay_html_sha256 text,
            error_message text, started_at timestamptz, completed_at timestamptz, created_at timestamptz,
            resource_version bigint)
        ORDER BY r.id, r.resource_version DESC
        ON CONFLICT (id) DO UPDATE SET (
            agent1_id, agent2_id, submission1, submission2, version1, version2, status, winner, score1, score2,
            outcome1, outcome2, error1, error2, elo_before1, elo_before2, elo_after1, elo_after2, number1, number2,
            rated_done, seed, steps, milliseconds, attempt, replay_url, replay_html_url, replay_sha256,
            replay_html_sha256, error_message, started_at, completed_at, updated_at, resource_version) = (
            excluded.agent1_id, excluded.agent2_id, excluded.submission1, excluded.submission2, excluded.version1,
            excluded.version2, excluded.status, excluded.winner, excluded.score1, excluded.score2, excluded.outcome1,
            excluded.outcome2, excluded.error1, excluded.error2, excluded.elo_before1, excluded.elo_before2,
            excluded.elo_after1, excluded.elo_after2, excluded.number1, excluded.number2, excluded.rated_done,
            excluded.seed, excluded.steps, excluded.milliseconds, excluded.attempt, excluded.replay_url,
            excluded.replay_html_url, excluded.replay_sha256, excluded.replay_html_sha256, excluded.error_message,
            excluded.started_at, excluded.completed_at, now(), excluded.resource_version)
        WHERE t.resource_version < excluded.resource_version AND t.vanished_at IS NULL
        RETURNING 1)
    SELECT count(*) INTO stored FROM changed;
    RETURN stored;
END $$;

-- The places that changed in one environment, as in 0004: each counted once, and from the top no further than to the last one
-- that is told.
CREATE OR REPLACE FUNCTION leaderboard_event(of_environment text, changed uuid[]) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    best uuid[];
    lowest int;
    places jsonb;
    gone jsonb;
    topic uuid := environment_id(of_environment);
BEGIN
    IF topic IS NULL THEN RETURN; END IF;
    SELECT array_agg(b.id), min(b.elo) INTO best, lowest
    FROM (SELECT a.id, a.elo FROM unnest(changed) c (id), LATERAL (SELECT * FROM agents p WHERE p.id = c.id OFFSET 0) a
          WHERE agent_is_ranked(a)
          ORDER BY a.elo DESC, a.rated_matches, a.created_at, a.id LIMIT 20) b;
    IF cardinality(best) = 1 THEN
        SELECT jsonb_build_array(agent_json(a)) INTO places FROM agents a WHERE a.id = best[1];
    ELSE
        SELECT jsonb_agg(agent_json(a, r.rank) ORDER BY r.rank) INTO places
        FROM (SELECT b.id, row_number() OVER (ORDER BY b.elo DESC, b.rated_matches, b.created_at, b.id) AS rank
              FROM agents b WHERE b.environment = of_environment AND b.active_submission IS NOT NULL
                              AND b.vanished_at IS NULL AND b.elo >= lowest) r
        JOIN agents a USING (id)
        WHERE r.id = ANY (best);
    END IF;
    SELECT jsonb_agg(a.id ORDER BY a.id) INTO gone
    FROM unnest(changed) c (id), LATERAL (SELECT * FROM agents p WHERE p.id = c.id OFFSET 0) a
    WHERE NOT agent_is_ranked(a);
    INSERT INTO events (type, topics, payload)
    VALUES ('leaderboard_update', ARRAY['leaderboard:' || topic], jsonb_build_object(
        'environmentId', topic, 'environmentName', of_environment, 'rows', coalesce(places, '[]'),
        'removed', coalesce(gone, '[]'),
        'partial', cardinality(changed) > coalesce(jsonb_array_length(places), 0) + coalesce(jsonb_array_length(gone), 0)));
END $$;
