-- The places that changed in one environment, as in 0015, and read as they were meant to be: of each Elo by itself, down
-- to the last one that is told. Joined, and while the statistics were old, all agents of the environment were read.
CREATE OR REPLACE FUNCTION leaderboard_event(of_environment text, changed uuid[])
RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    places jsonb;
    gone jsonb;
    topic uuid := environment_id(of_environment);
BEGIN
    IF topic IS NULL THEN RETURN; END IF;
    -- The best of them; then of each Elo among these, once, who is above and who has it. OFFSET 0 keeps each question
    -- one of its own.
    WITH best AS MATERIALIZED (
        SELECT p.id, p.elo, p.rated_matches, p.created_at
        FROM unnest(changed) c (id), LATERAL (SELECT * FROM agents q WHERE q.id = c.id OFFSET 0) p
        WHERE agent_is_ranked(p)
        ORDER BY p.elo DESC, p.rated_matches, p.created_at, p.id LIMIT 20),
    elos AS MATERIALIZED (
        SELECT last.*, (SELECT coalesce(sum(r.agents), 0) FROM ranked_elos r
                        WHERE r.environment = of_environment AND r.elo > last.elo) AS above
        FROM (SELECT DISTINCT ON (b.elo) b.* FROM best b
              ORDER BY b.elo, b.rated_matches DESC, b.created_at DESC, b.id DESC OFFSET 0) last),
    ranked AS MATERIALIZED (
        SELECT p.id, e.above + p.place AS rank
        FROM elos e, LATERAL (
            SELECT q.id, row_number() OVER (ORDER BY q.rated_matches, q.created_at, q.id) AS place FROM agents q
            WHERE q.environment = of_environment AND q.elo = e.elo
              AND q.active_submission IS NOT NULL AND q.vanished_at IS NULL
              AND (q.rated_matches, q.created_at, q.id) <= (e.rated_matches, e.created_at, e.id) OFFSET 0) p)
    SELECT jsonb_agg(agent_json(a, k.rank) ORDER BY k.rank) INTO places
    FROM best b JOIN ranked k USING (id), LATERAL (SELECT * FROM agents q WHERE q.id = b.id OFFSET 0) a;
    SELECT jsonb_agg(a.id ORDER BY a.id) INTO gone
    FROM unnest(changed) c (id), LATERAL (SELECT * FROM agents p WHERE p.id = c.id OFFSET 0) a
    WHERE NOT agent_is_ranked(a);
    INSERT INTO events (type, topics, payload)
    VALUES ('leaderboard_update', ARRAY['leaderboard:' || topic], jsonb_build_object(
        'environmentId', topic, 'environmentName', of_environment, 'rows', coalesce(places, '[]'),
        'removed', coalesce(gone, '[]'),
        'partial', cardinality(changed) > coalesce(jsonb_array_length(places), 0) + coalesce(jsonb_array_length(gone), 0)));
END $$;
