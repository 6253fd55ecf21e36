-- What follows from a change of the mirror, in the change's own transaction: references by id, the queue, the history,
-- the results of pairs, and the events that WebSockets tell. Each exactly once for each change, whoever brought it.

-- Whoever changes the mirror stands in one line, from before the first row to the commit: so events become visible in the
-- order of their ids (a reader of "id > last" misses none), and two writers that follow a change into other tables
-- never wait for each other in a circle.
CREATE FUNCTION mirror_line() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(7361420)
$$;

CREATE FUNCTION events_begin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM mirror_line();
    RETURN NULL;
END $$;

CREATE TRIGGER a_line BEFORE INSERT OR UPDATE OR DELETE ON agents FOR EACH STATEMENT EXECUTE FUNCTION events_begin();
CREATE TRIGGER a_line BEFORE INSERT OR UPDATE OR DELETE ON submissions FOR EACH STATEMENT EXECUTE FUNCTION events_begin();
CREATE TRIGGER a_line BEFORE INSERT OR UPDATE OR DELETE ON matches FOR EACH STATEMENT EXECUTE FUNCTION events_begin();
CREATE TRIGGER a_line BEFORE INSERT OR UPDATE OR DELETE ON environments FOR EACH STATEMENT EXECUTE FUNCTION events_begin();
CREATE TRIGGER a_line BEFORE INSERT ON build_logs FOR EACH STATEMENT EXECUTE FUNCTION events_begin();
CREATE TRIGGER a_line BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION events_begin();

CREATE FUNCTION events_notify() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE last bigint;
BEGIN
    SELECT max(id) INTO last FROM new_rows;
    IF last IS NOT NULL THEN PERFORM pg_notify('arena_events', last::text); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER z_notify AFTER INSERT ON events REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION events_notify();

-- ---- names to ids ------------------------------------------------------------------------------

CREATE FUNCTION agent_named(name text) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT id FROM agents WHERE object_name = name AND vanished_at IS NULL
$$;

CREATE FUNCTION submissions_refer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.agent_id IS NULL THEN NEW.agent_id := agent_named(NEW.agent_object); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER b_refer BEFORE INSERT OR UPDATE ON submissions FOR EACH ROW EXECUTE FUNCTION submissions_refer();

-- What the match itself recorded comes with the row and counts most; then what was found before; then the name.
CREATE FUNCTION matches_refer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE before matches;
BEGIN
    IF NEW.agent1_id IS NULL OR NEW.agent2_id IS NULL THEN
        SELECT * INTO before FROM matches m WHERE m.id = NEW.id;
        NEW.agent1_id := coalesce(NEW.agent1_id, before.agent1_id, agent_named(NEW.agent1));
        NEW.agent2_id := coalesce(NEW.agent2_id, before.agent2_id, agent_named(NEW.agent2));
    END IF;
    NEW.counted := NEW.rated_done AND NEW.agent1_id IS NOT NULL AND NEW.agent2_id IS NOT NULL;
    IF TG_OP = 'UPDATE' THEN NEW.counted := NEW.counted OR OLD.counted; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER b_refer BEFORE INSERT OR UPDATE ON matches FOR EACH ROW EXECUTE FUNCTION matches_refer();

-- An agent that the mirror sees for the first time may have been spoken of already. Submissions that outlived an earlier
-- agent of the name are the new one's, as the controller has it; matches are not. (A statement that changes nothing
-- still calls its table's triggers: it is asked first.)
CREATE FUNCTION agents_adopt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;
    UPDATE submissions s SET agent_id = n.id FROM new_rows n
    WHERE n.vanished_at IS NULL AND s.agent_object = n.object_name AND s.vanished_at IS NULL
      AND s.agent_id IS DISTINCT FROM n.id;
    IF EXISTS (SELECT FROM matches m WHERE m.agent1_id IS NULL) THEN
        UPDATE matches m SET agent1_id = n.id FROM new_rows n
        WHERE n.vanished_at IS NULL AND m.agent1 = n.object_name AND m.agent1_id IS NULL;
    END IF;
    IF EXISTS (SELECT FROM matches m WHERE m.agent2_id IS NULL) THEN
        UPDATE matches m SET agent2_id = n.id FROM new_rows n
        WHERE n.vanished_at IS NULL AND m.agent2 = n.object_name AND m.agent2_id IS NULL;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER c_adopt AFTER INSERT ON agents REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION agents_adopt();

-- ---- who waits ---------------------------------------------------------------------------------

CREATE FUNCTION agents_queue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;  -- an upsert calls both kinds
    DELETE FROM matchmaking_queue q USING new_rows n
    WHERE q.agent_id = n.id AND (n.queue_state <> 'Waiting' OR n.vanished_at IS NOT NULL);
    INSERT INTO matchmaking_queue (agent_id, environment, priority, elo, range_now, enqueued_at, expires_at)
    SELECT id, environment, priority, elo, range_now, coalesce(enqueued_at, updated_at), expires_at FROM new_rows
    WHERE queue_state = 'Waiting' AND vanished_at IS NULL
    ON CONFLICT (agent_id) DO UPDATE SET environment = excluded.environment, priority = excluded.priority,
        elo = excluded.elo, range_now = excluded.range_now, enqueued_at = excluded.enqueued_at,
        expires_at = excluded.expires_at;
    RETURN NULL;
END $$;
CREATE TRIGGER d_queue_insert AFTER INSERT ON agents REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION agents_queue();
CREATE TRIGGER d_queue_update AFTER UPDATE ON agents REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION agents_queue();

-- ---- what was played ---------------------------------------------------------------------------

-- The matchmaker's matches, and both directions of each pair's results (a forfeit is a loss).
CREATE FUNCTION matches_follow_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;  -- an upsert calls both kinds
    PERFORM matches_paired(array_agg(n.id)) FROM new_rows n WHERE n.matchmade;
    PERFORM matches_count(array_agg(n.id)) FROM new_rows n WHERE n.counted;
    RETURN NULL;
END $$;

CREATE FUNCTION matches_follow_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;  -- an upsert calls both kinds
    PERFORM matches_paired(array_agg(n.id)) FROM new_rows n JOIN old_rows o USING (id)
    WHERE n.matchmade AND (n.agent1_id, n.agent2_id) IS DISTINCT FROM (o.agent1_id, o.agent2_id);
    PERFORM matches_count(array_agg(n.id)) FROM new_rows n JOIN old_rows o USING (id) WHERE n.counted AND NOT o.counted;
    RETURN NULL;
END $$;

CREATE FUNCTION matches_paired(ids uuid[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO matchmaking_history (match_id, environment, agent1_id, agent2_id, elo_difference, matched_at)
    SELECT m.id, m.environment, m.agent1_id, m.agent2_id,
           abs(coalesce(m.elo_before1, a.elo) - coalesce(m.elo_before2, b.elo)), m.created_at
    FROM matches m LEFT JOIN agents a ON a.id = m.agent1_id LEFT JOIN agents b ON b.id = m.agent2_id
    WHERE m.id = ANY (ids)
    ON CONFLICT (match_id) DO UPDATE
        SET agent1_id = excluded.agent1_id, agent2_id = excluded.agent2_id,
            elo_difference = coalesce(matchmaking_history.elo_difference, excluded.elo_difference)
$$;

CREATE FUNCTION matches_count(ids uuid[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO head_to_head (agent_id, opponent_id, wins, losses, draws)
    SELECT v.agent_id, v.opponent_id, count(*) FILTER (WHERE m.winner = v.side),
           count(*) FILTER (WHERE m.winner <> v.side), count(*) FILTER (WHERE m.winner IS NULL)
    FROM matches m,
         LATERAL (VALUES (m.agent1_id, m.agent2_id, 1), (m.agent2_id, m.agent1_id, 2)) v (agent_id, opponent_id, side)
    WHERE m.id = ANY (ids)
    GROUP BY v.agent_id, v.opponent_id
    ON CONFLICT (agent_id, opponent_id) DO UPDATE
        SET wins = head_to_head.wins + excluded.wins, losses = head_to_head.losses + excluded.losses,
            draws = head_to_head.draws + excluded.draws
$$;

CREATE TRIGGER d_follow_insert AFTER INSERT ON matches REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION matches_follow_insert();
CREATE TRIGGER d_follow_update AFTER UPDATE ON matches REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION matches_follow_update();
