"""The objects that the tests apply, under names that no other run has."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

import yaml
from cluster import ROOT, Object

API_VERSION = "rl-arena.io/v1alpha1"
RUN_LABEL = "rl-arena.io/test-run"
# Plays any legal move of a game that has an action mask; `./arena up` builds and pushes it.
READY_IMAGE = "10.77.0.1:5000/examples/tic-tac-toe-ready:v1"


@dataclass(frozen=True)
class Run:
    """One run of the suite; its mark keeps its objects apart from all others."""

    mark: str

    def name(self, name: str) -> str:
        return f"e2e-{self.mark}-{name}"

    def make(self, kind: str, name: str, spec: Object) -> Object:
        return {
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": {"name": self.name(name), "labels": {RUN_LABEL: self.mark}},
            "spec": spec,
        }

    def agent(self, name: str, environment: str, owner: str = "", **spec: Any) -> Object:
        """Out of the queue unless the test wants it in, so that nobody else plays with it."""
        chosen: Object = {"matchmaking": {"enabled": False}, **spec}
        return self.make("Agent", name, {"owner": owner or f"owner-of-{name}", "environment": environment, **chosen})

    def inline(self, name: str, agent: str, code: str, **files: str) -> Object:
        every = {"agent.py": textwrap.dedent(code).lstrip(), **files}
        return self.submission(name, agent, {"inline": {"files": every}})

    def image(self, name: str, agent: str, image: str = READY_IMAGE) -> Object:
        return self.submission(name, agent, {"image": image})

    def submission(self, name: str, agent: str, source: Object, **spec: Any) -> Object:
        return self.make("Submission", name, {"agent": self.name(agent), "source": source, **spec})

    def match(self, name: str, environment: str, first: str, second: str, **spec: Any) -> Object:
        participants = [{"agent": self.name(first)}, {"agent": self.name(second)}]
        return self.make("Match", name, {"environment": environment, "participants": participants, **spec})

    def queue(self, name: str, **spec: Any) -> Object:
        """An environment of one's own; it can be waited in, but the executor does not know it."""
        return self.make("MatchmakingQueue", name, {"environment": {"name": self.name(name)}, **spec})

    def example(self, file: str) -> list[Object]:
        """The objects of a file below examples/, as this run's own."""
        text = (ROOT / "examples" / file).read_text()
        return [self._own(item) for item in yaml.safe_load_all(text) if item]

    def _own(self, item: Object) -> Object:
        spec = dict(item["spec"])
        if item["kind"] == "Agent":
            spec["matchmaking"] = {"enabled": False}
        else:
            spec["agent"] = self.name(spec["agent"])
        return self.make(item["kind"], item["metadata"]["name"], spec)
