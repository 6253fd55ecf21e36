"""The server against its own OpenAPI document: schemathesis asks what the document allows, and what it forbids."""

from __future__ import annotations

import pathlib
import subprocess
import sys

from .server import ApiServer

# What a well-formed request may still be refused for is in no schema: an environment that is not there, a name that is
# taken, a side that is not the caller's.
NOT_CHECKED = "positive_data_acceptance"


def test_the_document_is_kept(server: ApiServer, tmp_path: pathlib.Path) -> None:
    person = server.register()
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", "--no-color"]
        + ["--max-examples", "10", "--generation-deterministic", "--request-timeout", "60"]
        + ["--max-response-time", "60"]  # what is fast is measured elsewhere; a busy machine can stand still for 10 s
        + ["--phases", "examples,coverage,fuzzing"]
        + ["--checks", "all", "--exclude-checks", NOT_CHECKED]
        + ["--exclude-path", "/ws", "--exclude-path", "/api/v1/ws"]
        + ["-H", f"Authorization: Bearer {person.token}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
