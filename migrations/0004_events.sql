-- The events that WebSockets tell. Payloads are those of the REST contract.

-- ---- submissions -------------------------------------------------------------------------------

CREATE FUNCTION build_status_events(ids uuid[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO events (type, usernames, payload)
    SELECT 'build_status', ARRAY[a.owner], jsonb_build_object(
        'submissionId', s.id, 'agentId', a.id, 'agentName', a.display_name, 'version', s.version,
        'status', submission_status(s), 'message', s.message)
        || CASE WHEN s.image IS NULL THEN '{}' ELSE jsonb_build_object('imageUrl', s.image) END
    FROM submissions s JOIN agents a ON a.id = s.agent_id
    WHERE s.id = ANY (ids) ORDER BY s.created_at, s.version, s.id
$$;

CREATE FUNCTION submissions_tell_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;  -- an upsert calls both kinds
    PERFORM build_status_events(array_agg(n.id)) FROM new_rows n WHERE n.vanished_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER e_tell_insert AFTER INSERT ON submissions REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION submissions_tell_insert();

CREATE FUNCTION submissions_tell_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;  -- an upsert calls both kinds
    PERFORM build_status_events(array_agg(n.id)) FROM new_rows n JOIN old_rows o USING (id)
    WHERE (n.status, n.reason, n.message, n.image) IS DISTINCT FROM (o.status, o.reason, o.message, o.image);
    RETURN NULL;
END $$;
CREATE TRIGGER e_tell_update AFTER UPDATE ON submissions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION submissions_tell_update();

CREATE FUNCTION build_logs_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO events (type, topics, payload)
    SELECT 'build_log', ARRAY['build:' || submission_id], jsonb_build_object(
        'submissionId', submission_id, 'attempt', attempt, 'container', container,
        'lines', to_jsonb(string_to_array(rtrim(text, E'\n'), E'\n')))
    FROM new_rows ORDER BY submission_id, attempt, container, number;
    RETURN NULL;
END $$;
CREATE TRIGGER e_tell AFTER INSERT ON build_logs REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION build_logs_tell();

-- ---- matches -----------------------------------------------------------------------------------

CREATE FUNCTION match_events(kind text, ids uuid[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO events (type, topics, usernames, payload)
    SELECT kind, ARRAY['match:' || m.id],
           ARRAY(SELECT DISTINCT a.owner FROM agents a WHERE a.id IN (m.agent1_id, m.agent2_id) ORDER BY a.owner),
           match_json(m)
    FROM matches m WHERE m.id = ANY (ids) ORDER BY coalesce(m.completed_at, m.started_at, m.created_at), m.id
$$;

-- A match that is seen only when it runs was made as well; one that is seen only when it is over is news of its end alone
-- (a mirror's first look brings many of those).
CREATE FUNCTION matches_tell_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;  -- an upsert calls both kinds
    PERFORM match_events('match_created', array_agg(n.id)) FROM new_rows n
    WHERE n.status IN ('pending', 'running') AND n.vanished_at IS NULL;
    PERFORM match_events('match_started', array_agg(n.id)) FROM new_rows n
    WHERE n.status = 'running' AND n.vanished_at IS NULL;
    PERFORM match_events('match_completed', array_agg(n.id)) FROM new_rows n WHERE n.status IN ('completed', 'failed');
    RETURN NULL;
END $$;
CREATE TRIGGER e_tell_insert AFTER INSERT ON matches REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION matches_tell_insert();

CREATE FUNCTION matches_tell_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;  -- an upsert calls both kinds
    PERFORM match_events('match_started', array_agg(n.id)) FROM new_rows n JOIN old_rows o USING (id)
    WHERE n.status = 'running' AND o.status <> 'running';
    PERFORM match_events('match_completed', array_agg(n.id)) FROM new_rows n JOIN old_rows o USING (id)
    WHERE n.status IN ('completed', 'failed') AND o.status NOT IN ('completed', 'failed');
    RETURN NULL;
END $$;
CREATE TRIGGER e_tell_update AFTER UPDATE ON matches REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION matches_tell_update();

-- ---- queues ------------------------------------------------------------------------------------

-- One for each environment among the names.
CREATE FUNCTION queue_events(names text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO events (type, topics, payload)
    SELECT 'queue_update', ARRAY['queue:' || e.id], jsonb_build_object(
        'environmentId', e.id, 'environmentName', e.name, 'state', environment_status(e),
        'waiting', queue_waiting(e.name), 'playing', e.playing, 'medianWaitSeconds', e.median_wait_seconds)
    FROM environments e WHERE e.name = ANY (names) AND e.vanished_at IS NULL ORDER BY e.name
$$;

CREATE FUNCTION environments_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;  -- an upsert calls both kinds
    PERFORM queue_events(array_agg(n.name)) FROM new_rows n JOIN old_rows o USING (id)
    WHERE (n.playing, n.median_wait_seconds, n.paused, n.ready)
          IS DISTINCT FROM (o.playing, o.median_wait_seconds, o.paused, o.ready);
    RETURN NULL;
END $$;
CREATE TRIGGER e_tell AFTER UPDATE ON environments REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION environments_tell();

-- ---- agents ------------------------------------------------------------------------------------

-- Agents in the queue, each for its owner.
CREATE FUNCTION agent_queue_events(ids uuid[]) RETURNS void LANGUAGE sql AS $$
    WITH places AS MATERIALIZED (  -- counted once for each environment, not for each agent
        SELECT c.environment, environment_id(c.environment) AS id, queue_waiting(c.environment) AS waiting
        FROM (SELECT DISTINCT b.environment FROM agents b WHERE b.id = ANY (ids)) c)
    INSERT INTO events (type, usernames, payload)
    SELECT 'queue_update', ARRAY[a.owner], jsonb_strip_nulls(jsonb_build_object(
        'environmentId', e.id, 'environmentName', a.environment,
        'agentId', a.id, 'agentName', a.display_name, 'state', lower(a.queue_state), 'reason', a.queue_reason,
        'waiting', e.waiting, 'enqueuedAt', rfc3339(a.enqueued_at), 'expiresAt', rfc3339(a.expires_at)))
    FROM agents a JOIN places e USING (environment)
    WHERE a.id = ANY (ids) ORDER BY a.id
$$;

-- The places that changed in one environment: rows for who is ranked, `removed` for who is no more. Of many changes at
-- once only the best 20 rows are told (`partial`: read the rest).
CREATE FUNCTION leaderboard_event(of_environment text, changed uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    places jsonb;
    gone jsonb;
    topic uuid := environment_id(of_environment);
BEGIN
    IF topic IS NULL THEN RETURN; END IF;
    IF cardinality(changed) <= 8 THEN
        SELECT jsonb_agg(agent_json(a, agent_rank(a)) ORDER BY agent_rank(a)) INTO places
        FROM agents a WHERE a.id = ANY (changed) AND agent_is_ranked(a);
    ELSE
        SELECT jsonb_agg(agent_json(a, r.rank) ORDER BY r.rank) INTO places
        FROM (SELECT p.id, p.rank FROM (
                  SELECT b.id, row_number() OVER (ORDER BY b.elo DESC, b.rated_matches, b.created_at, b.id) AS rank
                  FROM agents b WHERE b.environment = of_environment AND b.active_submission IS NOT NULL
                                  AND b.vanished_at IS NULL) p
              WHERE p.id = ANY (changed) ORDER BY p.rank LIMIT 20) r
        JOIN agents a USING (id);
    END IF;
    SELECT jsonb_agg(a.id ORDER BY a.id) INTO gone FROM agents a WHERE a.id = ANY (changed) AND NOT agent_is_ranked(a);
    INSERT INTO events (type, topics, payload)
    VALUES ('leaderboard_update', ARRAY['leaderboard:' || topic], jsonb_build_object(
        'environmentId', topic, 'environmentName', of_environment, 'rows', coalesce(places, '[]'),
        'removed', coalesce(gone, '[]'),
        'partial', cardinality(changed) > coalesce(jsonb_array_length(places), 0) + coalesce(jsonb_array_length(gone), 0)));
END $$;

CREATE FUNCTION agents_tell_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;  -- an upsert calls both kinds
    PERFORM agent_queue_events(array_agg(n.id)) FROM new_rows n WHERE n.queue_state = 'Waiting' AND n.vanished_at IS NULL;
    PERFORM queue_events(array_agg(DISTINCT n.environment)) FROM new_rows n
    WHERE n.queue_state = 'Waiting' AND n.vanished_at IS NULL;
    PERFORM leaderboard_event(c.environment, c.ids)
    FROM (SELECT n.environment, array_agg(n.id) AS ids FROM new_rows n
          WHERE n.active_submission IS NOT NULL AND n.vanished_at IS NULL
          GROUP BY n.environment ORDER BY n.environment) c;
    RETURN NULL;
END $$;
CREATE TRIGGER e_tell_insert AFTER INSERT ON agents REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION agents_tell_insert();

CREATE FUNCTION agents_tell_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;  -- an upsert calls both kinds
    -- Which submission plays changed: news about the one that did and the one that does.
    PERFORM build_status_events(array_agg(s.id))
    FROM new_rows n JOIN old_rows o USING (id) JOIN submissions s ON s.agent_id = n.id
    WHERE n.active_submission IS DISTINCT FROM o.active_submission AND s.status = 'success' AND s.vanished_at IS NULL
      AND n.vanished_at IS NULL AND s.object_name IN (n.active_submission, o.active_submission);

    PERFORM agent_queue_events(array_agg(n.id)) FROM new_rows n JOIN old_rows o USING (id)
    WHERE (n.queue_state, n.queue_reason) IS DISTINCT FROM (o.queue_state, o.queue_reason) AND n.vanished_at IS NULL;

    PERFORM queue_events(array_agg(DISTINCT n.environment)) FROM new_rows n JOIN old_rows o USING (id)
    WHERE (n.queue_state = 'Waiting' AND n.vanished_at IS NULL) <> (o.queue_state = 'Waiting' AND o.vanished_at IS NULL);

    PERFORM leaderboard_event(c.environment, c.ids)
    FROM (SELECT n.environment, array_agg(n.id) AS ids FROM new_rows n JOIN old_rows o USING (id)
          WHERE ((n.active_submission IS NOT NULL AND n.vanished_at IS NULL)
                 OR (o.active_submission IS NOT NULL AND o.vanished_at IS NULL))
            AND (n.elo, n.rated_matches, n.wins, n.losses, n.draws, n.display_name, n.active_submission, n.vanished_at)
                IS DISTINCT FROM
                (o.elo, o.rated_matches, o.wins, o.losses, o.draws, o.display_name, o.active_submission, o.vanished_at)
          GROUP BY n.environment ORDER BY n.environment) c;
    RETURN NULL;
END $$;
CREATE TRIGGER e_tell_update AFTER UPDATE ON agents REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION agents_tell_update();
