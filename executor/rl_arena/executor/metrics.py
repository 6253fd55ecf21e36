"""What Prometheus reads at /metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

registry = CollectorRegistry()

matches = Counter(
    "rl_arena_executor_matches_total",
    "Finished matches.",
    ("environment", "status"),
    registry=registry,
)
active = Gauge("rl_arena_executor_active_matches", "Matches being played.", registry=registry)
forfeits = Counter(
    "rl_arena_executor_forfeits_total",
    "Agents that lost by their own doing.",
    ("environment", "failure"),
    registry=registry,
)
refused = Counter("rl_arena_executor_refused_total", "Match requests turned away.", ("reason",), registry=registry)
uploads = Counter(
    "rl_arena_executor_uploads_total",
    "Replays given to the front.",
    ("result",),
    registry=registry,
)
steps = Counter("rl_arena_executor_steps_total", "Steps played.", ("environment",), registry=registry)
duration = Histogram(
    "rl_arena_executor_match_seconds",
    "Wall time of a match.",
    ("environment",),
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600),
    registry=registry,
)


def text() -> bytes:
    return generate_latest(registry)
