"""Whatever gives work to a thread has a test that runs under the thread sanitizer."""

from __future__ import annotations

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
STARTS = re.compile(r"\b(uv_queue_work|uv_getaddrinfo|uv_thread_create|pthread_create|thrd_create|work_start)\(")
# Where it is started: the test.
TESTS = {"lib/io/work.c": "io_work", "lib/io/db_connection.c": "io_db", "api-server/password.c": "front_password"}


def test_each_place_that_starts_one_is_known() -> None:
    files = [file for folder in ("lib", "controller", "fetch", "api-server") for file in (ROOT / folder).rglob("*.c")]
    assert {str(file.relative_to(ROOT)) for file in files if STARTS.search(file.read_text())} == set(TESTS)


def test_their_tests_run_under_the_sanitizer() -> None:
    (listed,) = re.findall(r"tests_with_threads = \[(.*)\]", (ROOT / "test" / "meson.build").read_text())
    assert set(re.findall(r"'(\w+)'", listed)) == set(TESTS.values())
