-- Users and blobs are at home here; agents, submissions, matches and environments are a mirror of the custom
-- resources, keyed by their uid. A row of the mirror is only ever replaced by a newer resourceVersion, and
-- stays (vanished_at) when its object is gone: history outlives objects. Objects refer to each other by name;
-- the columns *_id next to such a name are the mirror's own, kept by triggers (0003), so that history goes on
-- pointing at the agent that it was about when a later one gets its name.
--
-- The mirror takes what the API server has: a constraint here that an object could break would stop it.

CREATE TABLE users (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    username      text NOT NULL CHECK (username ~ '^[a-z0-9]([a-z0-9_-]{1,48}[a-z0-9])$'),
    email         text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    password_hash text NOT NULL,
    full_name     text CHECK (length(full_name) <= 200),
    avatar_url    text CHECK (length(avatar_url) <= 2048),
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    -- Tokens of before are refused: set when the password changes.
    tokens_after  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_username ON users (username);
CREATE UNIQUE INDEX users_email ON users (lower(email));

-- One for each MatchmakingQueue.
CREATE TABLE environments (
    id                  uuid PRIMARY KEY,
    name                text NOT NULL,           -- its object's name: what agents and matches refer to
    display_name        text NOT NULL,
    description         text NOT NULL DEFAULT '',
    players             int NOT NULL DEFAULT 2 CHECK (players BETWEEN 1 AND 64),
    elo_initial         int NOT NULL DEFAULT 1500,
    allow_same_owner    bool NOT NULL DEFAULT false,
    paused              bool NOT NULL DEFAULT false,
    ready               bool NOT NULL DEFAULT false,
    reason              text NOT NULL DEFAULT '',
    message             text NOT NULL DEFAULT '',
    waiting             int NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    playing             int NOT NULL DEFAULT 0 CHECK (playing >= 0),
    matched_total       bigint NOT NULL DEFAULT 0,
    median_wait_seconds int NOT NULL DEFAULT 0,
    last_run_at         timestamptz,
    next_run_at         timestamptz,
    created_at          timestamptz NOT NULL,
    resource_version    bigint NOT NULL,
    vanished_at         timestamptz
);
CREATE UNIQUE INDEX environments_name ON environments (name) WHERE vanished_at IS NULL;

CREATE TABLE agents (
    id                   uuid PRIMARY KEY,
    object_name          text NOT NULL,          -- metadata.name
    owner                text NOT NULL,          -- spec.owner: a user's name; an agent made by kubectl may have no user here
    display_name         text NOT NULL,
    description          text NOT NULL DEFAULT '',
    environment          text NOT NULL,
    elo                  int NOT NULL CHECK (elo >= 0),
    rated_matches        int NOT NULL DEFAULT 0 CHECK (rated_matches >= 0),
    wins                 int NOT NULL DEFAULT 0 CHECK (wins >= 0),
    losses               int NOT NULL DEFAULT 0 CHECK (losses >= 0),
    draws                int NOT NULL DEFAULT 0 CHECK (draws >= 0),
    peak                 int NOT NULL DEFAULT 0,
    provisional          bool NOT NULL DEFAULT true,
    active_submission    text,                   -- its object's name, as the controller chose it
    active_version       int NOT NULL DEFAULT 0,
    latest_version       int NOT NULL DEFAULT 0,
    pinned               text,
    enabled              bool NOT NULL DEFAULT true,
    suspended            bool NOT NULL DEFAULT false,
    priority             int NOT NULL DEFAULT 5,
    queue_state          text NOT NULL DEFAULT 'Idle'
        CHECK (queue_state IN ('Idle', 'Waiting', 'Playing', 'Cooldown', 'Expired', 'Suspended')),
    queue_reason         text NOT NULL DEFAULT '',
    enqueued_at          timestamptz,
    expires_at           timestamptz,
    range_now            int NOT NULL DEFAULT 0,
    ready                bool NOT NULL DEFAULT false,
    reason               text NOT NULL DEFAULT '',
    message              text NOT NULL DEFAULT '',
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL DEFAULT now(),
    resource_version     bigint NOT NULL,
    vanished_at          timestamptz
);
CREATE UNIQUE INDEX agents_object ON agents (object_name) WHERE vanished_at IS NULL;
CREATE INDEX agents_owner ON agents (owner, created_at DESC);
CREATE INDEX agents_environment ON agents (environment, created_at DESC);
-- The leaderboard, in its order: only who may play is ranked.
CREATE INDEX agents_ranking ON agents (environment, elo DESC, rated_matches, created_at, id)
    WHERE active_submission IS NOT NULL AND vanished_at IS NULL;
CREATE INDEX agents_ranking_all ON agents (elo DESC, rated_matches, created_at, id)
    WHERE active_submission IS NOT NULL AND vanished_at IS NULL;
CREATE INDEX agents_recent ON agents (created_at DESC, id);

CREATE TABLE submissions (
    id               uuid PRIMARY KEY,
    object_name      text NOT NULL,
    agent_object     text NOT NULL,              -- spec.agent
    agent_id         uuid,
    version          int NOT NULL DEFAULT 0,     -- 0: not given yet
    -- What the submission alone says; which Ready one is the agent's active one, the agent says.
    status           text NOT NULL CHECK (status IN
        ('pending', 'building', 'scanning', 'success', 'build_failed', 'failed', 'rejected')),
    reason           text NOT NULL DEFAULT '',
    message          text NOT NULL DEFAULT '',
    source_kind      text NOT NULL CHECK (source_kind IN ('inline', 'archive', 'git', 'image')),
    code_url         text,                       -- private: owner only
    code_sha256      text,
    image            text,
    digest           text,
    build_job        text,                       -- of the last attempt
    build_pod        text,
    attempts         int NOT NULL DEFAULT 0,
    last_attempt_at  timestamptz,
    attempt_reason   text,                       -- how the last attempt ended: OOMKilled, PodLost...
    error_message    text,
    scan             jsonb,                      -- counts and findings as in status.scan
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL DEFAULT now(),
    resource_version bigint NOT NULL,
    vanished_at      timestamptz
);
CREATE INDEX submissions_agent ON submissions (agent_id, version DESC, created_at DESC);
CREATE INDEX submissions_object ON submissions (object_name);
CREATE INDEX submissions_agent_object ON submissions (agent_object);

CREATE TABLE matches (
    id                 uuid PRIMARY KEY,
    object_name        text NOT NULL,
    environment        text NOT NULL,
    agent1             text NOT NULL,            -- objects' names
    agent2             text NOT NULL,
    agent1_id          uuid,                     -- as the match recorded it, else of the agent that has the name
    agent2_id          uuid,
    submission1        text,
    submission2        text,
    version1           int,
    version2           int,
    status             text NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed')),
    winner             smallint CHECK (winner IN (1, 2)),  -- NULL: a draw, or not finished
    score1             double precision,
    score2             double precision,
    outcome1           text CHECK (outcome1 IN ('Win', 'Loss', 'Draw', 'Forfeit')),
    outcome2           text CHECK (outcome2 IN ('Win', 'Loss', 'Draw', 'Forfeit')),
    error1             text,
    error2             text,
    elo_before1        int,
    elo_before2        int,
    elo_after1         int,
    elo_after2         int,
    number1            int,                      -- matchNumber of each side; NULL: not rated
    number2            int,
    rated              bool NOT NULL,            -- spec.rated
    rated_done         bool NOT NULL DEFAULT false,  -- condition Rated
    counted            bool NOT NULL DEFAULT false,  -- head_to_head has it; the trigger's own
    matchmade          bool NOT NULL DEFAULT false,  -- made by the matchmaker
    requested_by       text,                     -- who asked for it through the front
    seed               bigint,
    steps              bigint,
    milliseconds       bigint,
    attempt            int NOT NULL DEFAULT 0,
    replay_url         text,
    replay_html_url    text,
    replay_sha256      text,
    replay_html_sha256 text,
    error_message      text,
    started_at         timestamptz,
    completed_at       timestamptz,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL DEFAULT now(),
    resource_version   bigint NOT NULL,
    vanished_at        timestamptz
);
CREATE INDEX matches_agent1 ON matches (agent1_id, created_at DESC);
CREATE INDEX matches_agent2 ON matches (agent2_id, created_at DESC);
CREATE INDEX matches_environment ON matches (environment, created_at DESC);
CREATE INDEX matches_recent ON matches (created_at DESC, id);
CREATE INDEX matches_object ON matches (object_name);
CREATE INDEX matches_replays ON matches (completed_at DESC) WHERE replay_sha256 IS NOT NULL;
-- Those that name an agent which the mirror has not seen yet.
CREATE INDEX matches_unknown1 ON matches (agent1) WHERE agent1_id IS NULL;
CREATE INDEX matches_unknown2 ON matches (agent2) WHERE agent2_id IS NULL;

-- What there is, in the order of ids: the mirror compares it with the API server's lists, page by page.
CREATE INDEX environments_living ON environments (id) WHERE vanished_at IS NULL;
CREATE INDEX agents_living ON agents (id) WHERE vanished_at IS NULL;
CREATE INDEX submissions_living ON submissions (id) WHERE vanished_at IS NULL;
CREATE INDEX matches_living ON matches (id) WHERE vanished_at IS NULL;

-- Who waits now; kept by a trigger on agents.
CREATE TABLE matchmaking_queue (
    agent_id    uuid PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    environment text NOT NULL,
    priority    int NOT NULL,
    elo         int NOT NULL,
    range_now   int NOT NULL,
    enqueued_at timestamptz NOT NULL,
    expires_at  timestamptz
);
CREATE INDEX matchmaking_queue_order ON matchmaking_queue (environment, priority, enqueued_at);

-- One for each match that the matchmaker made; kept by a trigger on matches.
CREATE TABLE matchmaking_history (
    match_id       uuid PRIMARY KEY REFERENCES matches (id) ON DELETE CASCADE,
    environment    text NOT NULL,
    agent1_id      uuid,
    agent2_id      uuid,
    elo_difference int,
    matched_at     timestamptz NOT NULL
);
CREATE INDEX matchmaking_history_environment ON matchmaking_history (environment, matched_at DESC);

-- Results of rated matches by pair, each match counted once: matches.counted.
CREATE TABLE head_to_head (
    agent_id    uuid NOT NULL,
    opponent_id uuid NOT NULL,
    wins        int NOT NULL DEFAULT 0,
    losses      int NOT NULL DEFAULT 0,
    draws       int NOT NULL DEFAULT 0,
    PRIMARY KEY (agent_id, opponent_id)
);

-- A blob is there when its row is; parts of one that is still being written belong to `upload`.
CREATE TABLE blobs (
    sha256     text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size       bigint NOT NULL CHECK (size >= 0),
    media_type text NOT NULL,
    upload     uuid NOT NULL UNIQUE,             -- where its parts are
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE blob_parts (
    upload     uuid NOT NULL,
    number     int NOT NULL,
    bytes      bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (upload, number)
);
-- What of ours each match's replay is (uploaded by the executor): kind 'json' (gzip) or 'html'.
CREATE TABLE replays (
    match_id   uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('json', 'html')),
    sha256     text NOT NULL REFERENCES blobs (sha256),
    size       bigint NOT NULL,
    attempt    int NOT NULL DEFAULT 0,           -- of the match; a late upload of an earlier one replaces nothing
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (match_id, kind)
);

-- The last MiB of each build attempt's log, kept after the Pod is gone; one row for each piece.
CREATE TABLE build_logs (
    submission_id uuid NOT NULL,
    attempt       int NOT NULL,
    container     text NOT NULL CHECK (container IN ('fetch', 'build', 'push', 'scan')),
    number        bigint NOT NULL,               -- of the piece, ascending
    position      bigint NOT NULL,               -- bytes before it in the whole log
    text          text NOT NULL,                 -- whole lines
    -- Where a new writer goes on: the kubelet's timestamp of the last line, and how many lines carried it.
    until         text NOT NULL DEFAULT '',
    until_lines   int NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (submission_id, attempt, container, number)
);

-- What WebSockets tell: written by triggers in the transaction of the change, then NOTIFY arena_events. Kept for a
-- while, so that a client which was away hears what it missed. Ids become visible in their order (events_begin).
CREATE TABLE events (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type       text NOT NULL,
    topics     text[] NOT NULL DEFAULT '{}',     -- match:<id>, leaderboard:<environment id>, queue:<environment id>, build:<submission id>
    usernames  text[] NOT NULL DEFAULT '{}',     -- whose private event it is
    payload    jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_created ON events (created_at);
