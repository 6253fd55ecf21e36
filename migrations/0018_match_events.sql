-- What a changed match costs: its event was more than half of it, and most of that was a function called for each thing
-- that is looked up (a function with a subselect is never taken into the statement that calls it). The shape is given what
-- was looked up; many at once are looked up by joins, in a plan that is kept.

CREATE FUNCTION match_side_shape(n text, id uuid, name text, submission uuid, version int, score double precision,
                                 elo_before int, elo_after int, number int, outcome text, error text)
RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object('agent' || n || 'Id', id, 'agent' || n || 'Name', name)
    || jsonb_strip_nulls(jsonb_build_object(
        'agent' || n || 'SubmissionId', submission,
        'agent' || n || 'Version', nullif(version, 0),
        'agent' || n || 'Score', CASE WHEN outcome IS NOT NULL THEN score END,
        'agent' || n || 'Outcome', lower(outcome),
        'agent' || n || 'Error', first_line(error),
        'agent' || n || 'Elo', elo_before,
        'agent' || n || 'EloChange', CASE WHEN number IS NOT NULL THEN elo_after - elo_before END))
$$;

CREATE FUNCTION match_shape(m matches, name1 text, name2 text, submission1_id uuid, submission2_id uuid,
                            of_environment uuid, replay text, replay_html text)
RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT match_side_shape('1', m.agent1_id, name1, submission1_id, m.version1, m.score1, m.elo_before1, m.elo_after1,
                            m.number1, m.outcome1, m.error1)
    || match_side_shape('2', m.agent2_id, name2, submission2_id, m.version2, m.score2, m.elo_before2, m.elo_after2,
                        m.number2, m.outcome2, m.error2)
    || jsonb_build_object(
        'id', m.id, 'environmentId', of_environment, 'environmentName', m.environment,
        'status', m.status, 'rated', m.rated, 'isPublic', true, 'createdAt', rfc3339(m.created_at))
    || jsonb_strip_nulls(jsonb_build_object(
        'winnerId', CASE m.winner WHEN 1 THEN m.agent1_id WHEN 2 THEN m.agent2_id END,
        'replayUrl', replay, 'replayHtmlUrl', replay_html,
        'errorMessage', match_why(m), 'steps', m.steps, 'seed', m.seed, 'durationMilliseconds', m.milliseconds,
        'startedAt', rfc3339(m.started_at), 'completedAt', rfc3339(m.completed_at)))
$$;

-- As in 0002: with us, where one was brought to us, else where the executor keeps it.
CREATE FUNCTION replay_path(match uuid, of_kind text, is_here bool, otherwise text)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN is_here THEN '/api/v1/matches/' || match || '/replay?format=' || of_kind ELSE otherwise END
$$;
CREATE OR REPLACE FUNCTION match_replay(match uuid, of_kind text, otherwise text)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT replay_path(match, of_kind, EXISTS (SELECT FROM replays r WHERE r.match_id = match AND r.kind = of_kind), otherwise)
$$;

-- One match, on a page.
CREATE OR REPLACE FUNCTION match_json(m matches) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT match_shape(m, agent_name(m.agent1_id, m.agent1), agent_name(m.agent2_id, m.agent2),
                       submission_id(m.submission1), submission_id(m.submission2), environment_id(m.environment),
                       match_replay(m.id, 'json', m.replay_url), match_replay(m.id, 'html', m.replay_html_url))
$$;
DROP FUNCTION match_side_json;

-- As in 0004. A kept plan may be of a time when the tables were small: it never reads a whole one.
CREATE OR REPLACE FUNCTION match_events(kind text, ids uuid[])
RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF ids IS NULL THEN RETURN; END IF;
    INSERT INTO events (type, topics, usernames, payload)
    SELECT match_events.kind, ARRAY['match:' || m.id],
        ARRAY(SELECT DISTINCT o.name FROM unnest(ARRAY[a.owner, b.owner]) o (name) WHERE o.name IS NOT NULL ORDER BY o.name),
        match_shape(m, coalesce(a.display_name, m.agent1), coalesce(b.display_name, m.agent2),
            (SELECT s.id FROM submissions s WHERE s.object_name = m.submission1
             ORDER BY s.vanished_at DESC NULLS FIRST, s.created_at DESC LIMIT 1),
            (SELECT s.id FROM submissions s WHERE s.object_name = m.submission2
             ORDER BY s.vanished_at DESC NULLS FIRST, s.created_at DESC LIMIT 1),
            (SELECT e.id FROM environments e WHERE e.name = m.environment
             ORDER BY e.vanished_at DESC NULLS FIRST LIMIT 1),
            replay_path(m.id, 'json', EXISTS (SELECT FROM replays r WHERE r.match_id = m.id AND r.kind = 'json'),
                        m.replay_url),
            replay_path(m.id, 'html', EXISTS (SELECT FROM replays r WHERE r.match_id = m.id AND r.kind = 'html'),
                        m.replay_html_url))
    FROM matches m LEFT JOIN agents a ON a.id = m.agent1_id LEFT JOIN agents b ON b.id = m.agent2_id
    WHERE m.id = ANY (ids) ORDER BY coalesce(m.completed_at, m.started_at, m.created_at), m.id;
END $$;
