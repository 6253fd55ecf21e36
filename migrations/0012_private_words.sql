-- Of a failure strangers read what happened. What an author's code printed, a trace with lines of it among that, is for
-- its owner: in a match it follows the first line, in a submission the message may have a line of the build's log, or
-- name what was found in the image.

CREATE FUNCTION first_line(words text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT split_part(words, E'\n', 1)
$$;

-- ---- matches -----------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION match_why(m matches) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(m.error_message, ''), nullif(concat_ws(' ',
        CASE WHEN m.outcome1 = 'Forfeit'
             THEN agent_name(m.agent1_id, m.agent1) || ' forfeited: ' || coalesce(first_line(m.error1), 'no reason given') END,
        CASE WHEN m.outcome2 = 'Forfeit'
             THEN agent_name(m.agent2_id, m.agent2) || ' forfeited: ' || coalesce(first_line(m.error2), 'no reason given') END), ''))
$$;

CREATE OR REPLACE FUNCTION match_json(m matches) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT match_side_json('1', m.agent1_id, agent_name(m.agent1_id, m.agent1), m.submission1, m.version1, m.score1,
                           m.elo_before1, m.elo_after1, m.number1, m.outcome1, first_line(m.error1))
    || match_side_json('2', m.agent2_id, agent_name(m.agent2_id, m.agent2), m.submission2, m.version2, m.score2,
                       m.elo_before2, m.elo_after2, m.number2, m.outcome2, first_line(m.error2))
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

-- The user's own sides, with all their words: over match_json.
CREATE FUNCTION match_own_json(m matches, username text) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'agent1Error', (SELECT m.error1 FROM agents a WHERE a.id = m.agent1_id AND a.owner = username),
        'agent2Error', (SELECT m.error2 FROM agents a WHERE a.id = m.agent2_id AND a.owner = username)))
$$;

-- ---- submissions ------------------------------------------------------------------------------

CREATE FUNCTION submission_words(s submissions, private bool) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN s.message = '' THEN 'It waits for its turn.'
        WHEN private THEN s.message
        WHEN s.status = 'rejected' THEN 'Vulnerabilities were found in its image. Its owner can read which.'
        WHEN s.status IN ('build_failed', 'failed') THEN 'It failed. Its owner can read why.'
        WHEN s.reason = 'Retrying' THEN 'An attempt failed and is tried again.'
        ELSE s.message END
$$;

CREATE OR REPLACE FUNCTION submission_json(s submissions, private bool) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object(
        'id', s.id, 'agentId', s.agent_id, 'agentName', agent_name(s.agent_id, s.agent_object),
        'environmentId', environment_id(agent_environment(s.agent_id)), 'version', s.version,
        'status', submission_status(s), 'message', submission_words(s, private),
        'retryCount', greatest(s.attempts - 1, 0), 'isActive', submission_status(s) = 'active',
        'source', s.source_kind, 'createdAt', rfc3339(s.created_at), 'updatedAt', rfc3339(s.updated_at))
    || jsonb_strip_nulls(jsonb_build_object(
        'dockerImageUrl', s.image, 'buildJobName', s.build_job, 'buildPodName', s.build_pod,
        'lastRetryAt', CASE WHEN s.attempts > 1 THEN rfc3339(s.last_attempt_at) END,
        'reason', nullif(s.reason, ''),
        'errorMessage', CASE WHEN private AND s.error_message IS NOT NULL THEN s.error_message
                             WHEN s.status IN ('build_failed', 'failed', 'rejected') THEN submission_words(s, private) END,
        'codeUrl', CASE WHEN private THEN s.code_url END,
        'scan', CASE WHEN private THEN s.scan - 'findings' END))
$$;
