-- How many ranked agents each Elo has, so that a place is found without counting all who are above it: what there is to
-- read are the Elos, some hundreds, and those of the agent's own. Kept by the changes themselves, which stand in one line.

-- First: who changes the mirror has the line before the table.
SELECT mirror_line();

CREATE TABLE ranked_elos (
    environment text NOT NULL,
    elo         int NOT NULL,
    agents      int NOT NULL,
    PRIMARY KEY (environment, elo)
) WITH (fillfactor = 50);

-- Rows of agents are never deleted (otherwise: ranked_elos_count). An INSERT that becomes an UPDATE on conflict calls the
-- statement triggers of UPDATE before those of INSERT, and the events of both tell places: new rows are counted one by
-- one, which is before either.
CREATE FUNCTION ranked_elos_enter() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ranked_elos AS r (environment, elo, agents) VALUES (NEW.environment, NEW.elo, 1)
    ON CONFLICT (environment, elo) DO UPDATE SET agents = r.agents + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER d_elos_insert AFTER INSERT ON agents FOR EACH ROW
    WHEN (NEW.active_submission IS NOT NULL AND NEW.vanished_at IS NULL) EXECUTE FUNCTION ranked_elos_enter();

CREATE FUNCTION ranked_elos_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ranked_elos AS r (environment, elo, agents)
    SELECT c.environment, c.elo, sum(c.change)
    FROM (SELECT n.environment, n.elo, 1 AS change FROM new_rows n
          WHERE n.active_submission IS NOT NULL AND n.vanished_at IS NULL
          UNION ALL
          SELECT o.environment, o.elo, -1 FROM old_rows o
          WHERE o.active_submission IS NOT NULL AND o.vanished_at IS NULL) c
    GROUP BY c.environment, c.elo HAVING sum(c.change) <> 0
    ON CONFLICT (environment, elo) DO UPDATE SET agents = r.agents + excluded.agents;
    RETURN NULL;
END $$;
-- By its name before the events.
CREATE TRIGGER d_elos_update AFTER UPDATE ON agents REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION ranked_elos_move();

-- From nothing: here, and for who brings rows while triggers are off.
CREATE FUNCTION ranked_elos_count() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM mirror_line();
    DELETE FROM ranked_elos;
    INSERT INTO ranked_elos (environment, elo, agents)
    SELECT a.environment, a.elo, count(*) FROM agents a
    WHERE a.active_submission IS NOT NULL AND a.vanished_at IS NULL GROUP BY a.environment, a.elo;
END $$;
SELECT ranked_elos_count();

-- Its place in its environment, as in 0002: by elo, then fewer matches, then older. NULL: not ranked.
CREATE OR REPLACE FUNCTION agent_rank(a agents) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN agent_is_ranked(a) THEN 1
        + (SELECT coalesce(sum(r.agents), 0) FROM ranked_elos r WHERE r.environment = a.environment AND r.elo > a.elo)
        + (SELECT count(*) FROM agents b
           WHERE b.environment = a.environment AND b.active_submission IS NOT NULL AND b.vanished_at IS NULL
             AND b.elo = a.elo AND (b.rated_matches, b.created_at, b.id) < (a.rated_matches, a.created_at, a.id)) END
$$;

-- The places that changed in one environment, as in 0004.
CREATE OR REPLACE FUNCTION leaderboard_event(of_environment text, changed uuid[])
RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    places jsonb;
    gone jsonb;
    topic uuid := environment_id(of_environment);
BEGIN
    IF topic IS NULL THEN RETURN; END IF;
    -- The best of them; then of each Elo among these, once, who is above and who has it.
    WITH best AS MATERIALIZED (
        SELECT p.id, p.elo FROM unnest(changed) c (id), LATERAL (SELECT * FROM agents q WHERE q.id = c.id OFFSET 0) p
        WHERE agent_is_ranked(p)
        ORDER BY p.elo DESC, p.rated_matches, p.created_at, p.id LIMIT 20),
    elos AS (
        SELECT d.elo, (SELECT coalesce(sum(r.agents), 0) FROM ranked_elos r
                       WHERE r.environment = of_environment AND r.elo > d.elo) AS above
        FROM (SELECT DISTINCT b.elo FROM best b) d),
    ranked AS (
        SELECT p.id, e.above + row_number() OVER (PARTITION BY p.elo ORDER BY p.rated_matches, p.created_at, p.id) AS rank
        FROM elos e JOIN agents p ON p.environment = of_environment AND p.elo = e.elo
                                 AND p.active_submission IS NOT NULL AND p.vanished_at IS NULL)
    SELECT jsonb_agg(agent_json(a, k.rank) ORDER BY k.rank) INTO places
    FROM best b JOIN ranked k USING (id) JOIN agents a USING (id);
    SELECT jsonb_agg(a.id ORDER BY a.id) INTO gone
    FROM unnest(changed) c (id), LATERAL (SELECT * FROM agents p WHERE p.id = c.id OFFSET 0) a
    WHERE NOT agent_is_ranked(a);
    INSERT INTO events (type, topics, payload)
    VALUES ('leaderboard_update', ARRAY['leaderboard:' || topic], jsonb_build_object(
        'environmentId', topic, 'environmentName', of_environment, 'rows', coalesce(places, '[]'),
        'removed', coalesce(gone, '[]'),
        'partial', cardinality(changed) > coalesce(jsonb_array_length(places), 0) + coalesce(jsonb_array_length(gone), 0)));
END $$;
