"""wrk, and what it says."""

from __future__ import annotations

import dataclasses
import subprocess
import tempfile
from collections.abc import Sequence

CONNECTIONS = 32

# What wrk counts, in one line that needs no reading of its table.
REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("arena %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.timeout + e.status))
end
"""
# Each request asks another of these paths, for another of these people, in turn.
IN_TURN = """
local paths, people, at = {%s}, {%s}, 0
request = function()
  at = at + 1
  if #people > 0 then wrk.headers["Authorization"] = people[at %% #people + 1] end
  return wrk.format(nil, paths[at %% #paths + 1])
end
"""


@dataclasses.dataclass(frozen=True)
class Speed:
    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int  # answers of 400 and above among them


def lua(texts: Sequence[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts)


def load(
    url: str,
    seconds: float,
    *,
    connections: int = CONNECTIONS,
    paths: Sequence[str] = (),
    authorizations: Sequence[str] = (),
) -> Speed:
    """`url` alone, or each of `paths` below it in turn, asked as fast as it answers."""
    script = REPORT + (IN_TURN % (lua(paths), lua(authorizations)) if paths else "")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", file.name]
        done = subprocess.run([*command, url], capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("arena "))
    requests, microseconds, p50, p99, errors = (float(word) for word in line.split()[1:])
    return Speed(requests / microseconds * 1e6, p50 / 1e3, p99 / 1e3, int(errors))
