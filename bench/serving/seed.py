"""A database as an arena of some size has it: users with agents, submissions, and the matches that were played."""

from __future__ import annotations

import dataclasses

from .servers import connect

ENVIRONMENTS = ("pong", "tic-tac-toe", "connect-four", "chess")
NAMES = "(ARRAY['" + "','".join(ENVIRONMENTS) + "'])"


@dataclasses.dataclass(frozen=True)
class Size:
    users: int = 2_000
    agents: int = 10_000
    matches: int = 50_000


# Ids are made of numbers, so that every run has the same database.
STATEMENTS = (
    # What follows of each change (events, the queue) is not wanted for what was always there.
    "SET session_replication_role = replica",
    f"""INSERT INTO environments (id, name, display_name, ready, created_at, resource_version)
        SELECT md5('e' || n)::uuid, {NAMES}[n], initcap({NAMES}[n]), true, now(), n
        FROM generate_series(1, {len(ENVIRONMENTS)}) n""",
    """INSERT INTO users (id, username, email, password_hash)
       SELECT md5('u' || n)::uuid, 'user-' || n, 'user-' || n || '@example.com', 'none'
       FROM generate_series(1, %(users)s) n""",
    # Elo as ratings spread: about normal, around 1500.
    f"""INSERT INTO agents (id, object_name, owner, display_name, description, environment, elo, rated_matches, wins,
            losses, draws, peak, provisional, active_submission, active_version, latest_version, ready, message,
            created_at, resource_version)
        SELECT md5('a' || n)::uuid, 'agent-' || n, 'user-' || 1 + n %% %(users)s, 'Agent ' || n,
            'An agent that was trained for ' || n || ' hours.', {NAMES}[1 + n %% {len(ENVIRONMENTS)}],
            1500 + (200 * (random() + random() + random() + random() - 2))::int, n %% 97, n %% 41, n %% 37, n %% 19,
            1700, false, 'agent-' || n || '-1', 1, 1, true, 'It plays.', now() - n * interval '1 minute', n
        FROM generate_series(1, %(agents)s) n""",
    """INSERT INTO submissions (id, object_name, agent_object, agent_id, version, status, source_kind, created_at,
            resource_version)
       SELECT md5('s' || n)::uuid, 'agent-' || n || '-1', 'agent-' || n, md5('a' || n)::uuid, 1, 'success', 'archive',
            now() - n * interval '1 minute', n FROM generate_series(1, %(agents)s) n""",
    f"""INSERT INTO matches (id, object_name, environment, agent1, agent2, agent1_id, agent2_id, submission1,
            submission2, version1, version2, status, winner, score1, score2, outcome1, outcome2, elo_before1,
            elo_before2, elo_after1, elo_after2, number1, number2, rated, rated_done, matchmade, seed, steps,
            milliseconds, started_at, completed_at, created_at, resource_version)
        SELECT md5('m' || n)::uuid, 'match-' || n, {NAMES}[1 + a %% {len(ENVIRONMENTS)}], 'agent-' || a, 'agent-' || b,
            md5('a' || a)::uuid, md5('a' || b)::uuid, 'agent-' || a || '-1', 'agent-' || b || '-1', 1, 1, 'completed',
            1, 1, 0, 'Win', 'Loss', 1500, 1500, 1516, 1484, 1, 1, true, true, true, n, 100, 900, t, t, t, n
        FROM (SELECT n, 1 + n %% %(agents)s AS a, 1 + (n * 7 + 4) %% %(agents)s AS b,
                     now() - n * interval '1 second' AS t
              FROM generate_series(1, %(matches)s) n) f""",
    "SET session_replication_role = origin",
    "SELECT ranked_elos_count()",
    "VACUUM ANALYZE",
)


def fill(url: str, size: Size = Size()) -> Size:
    with connect(url) as c:
        for statement in STATEMENTS:
            c.execute(statement, dataclasses.asdict(size))
    return size


def user_id(url: str, number: int) -> str:
    with connect(url) as c:
        return str(c.execute("SELECT md5('u' || %s::int)::uuid", (number,)).fetchall()[0][0])
