-- What the front makes for users: how many submissions of an agent a day, how often one is built again; where blobs are.

-- Parts are read by slices: stored as they are (they are packed already), a slice costs no more than itself.
ALTER TABLE blob_parts ALTER COLUMN bytes SET STORAGE EXTERNAL;
-- Blobs written before the setting changed are found where they were put. In S3 the object's name is `upload`; while it
-- is written, a part with number -1 holds the place, with the id of S3's multipart upload.
ALTER TABLE blobs ADD COLUMN store text NOT NULL DEFAULT 'postgres' CHECK (store IN ('postgres', 's3'));

-- A place in the quota, taken before the object is made and given back when it could not be.
CREATE TABLE submission_claims (
    object_name text PRIMARY KEY,                -- of the Submission that it is for
    agent_id    uuid NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    rebuild_of  uuid,                            -- the first submission with this source; NULL: a new source
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX submission_claims_agent ON submission_claims (agent_id, created_at DESC);
CREATE INDEX submission_claims_rebuild ON submission_claims (rebuild_of) WHERE rebuild_of IS NOT NULL;

-- What the author could not help: it takes no place in the quota.
CREATE FUNCTION submission_is_platform_failure(s submissions) RETURNS bool LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN s.vanished_at IS NOT NULL THEN s.status IN ('pending', 'building', 'scanning')
        WHEN s.status NOT IN ('build_failed', 'failed') THEN false
        WHEN s.reason IN ('ScanFailed', 'ReportMalformed', 'DigestMissing') THEN true
        WHEN coalesce(s.attempt_reason, s.reason) IN ('Evicted', 'Disrupted', 'NodeLost', 'PodLost', 'NoToken', 'DiskError',
            'AuthoritiesMissing', 'SourceMissing', 'NoRuntimeImage') THEN true
        ELSE s.code_url LIKE '%/internal/v1/sources/%' AND coalesce(s.attempt_reason, s.reason) IN ('ServerError',
            'Unreachable', 'Timeout', 'Incomplete', 'HostNotFound', 'NotFound', 'ForbiddenAddress')
    END
$$;

-- Whether a claim stands for something: its object is there, or may still be made (an upload takes at most 10 minutes).
CREATE FUNCTION submission_claim_counts(c submission_claims, forgiving bool) RETURNS bool LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT NOT (forgiving AND submission_is_platform_failure(s))
                     FROM submissions s WHERE s.object_name = c.object_name ORDER BY s.created_at DESC LIMIT 1),
                    c.created_at > now() - interval '15 minutes')
$$;

-- Takes a place for a new Submission of the agent, or says why not: 'not_found', 'forbidden', 'quota' or 'rebuilds'.
-- The lock makes counting and taking one step, on all replicas.
CREATE FUNCTION submission_claim(agent uuid, username text, suffix text, root uuid, a_day int, rebuilds int,
                                 OUT result text, OUT object_name text, OUT agent_object text, OUT retry_seconds int)
LANGUAGE plpgsql AS $$
DECLARE
    a agents;
    taken int;
    oldest timestamptz;
BEGIN
    SELECT * INTO a FROM agents WHERE id = agent AND vanished_at IS NULL;
    IF NOT FOUND THEN
        result := 'not_found';
        RETURN;
    END IF;
    IF a.owner <> username THEN
        result := 'forbidden';
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('submission_claim'), hashtext(agent::text));
    IF root IS NOT NULL THEN
        SELECT count(*) INTO taken FROM submission_claims c
        WHERE c.rebuild_of = root AND submission_claim_counts(c, false);
        IF taken >= rebuilds THEN
            result := 'rebuilds';
            RETURN;
        END IF;
    ELSE
        SELECT count(*), min(c.created_at) INTO taken, oldest FROM submission_claims c
        WHERE c.agent_id = agent AND c.rebuild_of IS NULL AND c.created_at > now() - interval '1 day'
              AND submission_claim_counts(c, true);
        IF taken >= a_day THEN
            result := 'quota';
            retry_seconds := greatest(1, ceil(extract(epoch FROM oldest + interval '1 day' - now())));
            RETURN;
        END IF;
    END IF;
    object_name := rtrim(left(a.object_name, 40), '-') || '-' || suffix;
    agent_object := a.object_name;
    INSERT INTO submission_claims (object_name, agent_id, rebuild_of) VALUES (submission_claim.object_name, agent, root);
    result := 'ok';
END $$;
