-- What the author could not help, as in 0010; and a registry that does not take the image, a node that lets go of its Pods
-- or refuses them, and a day without a node that has room.
CREATE OR REPLACE FUNCTION submission_is_platform_failure(s submissions) RETURNS bool
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN s.vanished_at IS NOT NULL THEN s.status IN ('pending', 'building', 'scanning')
        WHEN s.status NOT IN ('build_failed', 'failed') THEN false
        WHEN s.reason IN ('ScanFailed', 'ReportMalformed', 'DigestMissing', 'PushFailed') THEN true
        WHEN coalesce(s.attempt_reason, s.reason) IN ('Evicted', 'Disrupted', 'NodeLost', 'PodLost', 'NoToken', 'DiskError',
            'AuthoritiesMissing', 'SourceMissing', 'NoRuntimeImage', 'PushFailed', 'Unschedulable', 'Preempting', 'Shutdown',
            'NodeShutdown', 'Terminated', 'NodeAffinity', 'UnexpectedAdmissionError', 'OutOfcpu', 'OutOfmemory') THEN true
        ELSE s.code_url LIKE '%/internal/v1/sources/%' AND coalesce(s.attempt_reason, s.reason) IN ('ServerError',
            'Unreachable', 'Timeout', 'Incomplete', 'HostNotFound', 'NotFound', 'ForbiddenAddress')
    END
$$;
