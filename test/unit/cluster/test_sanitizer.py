"""ARENA_SANITIZE=1: which images are others, and what the look at the logs sees."""

from __future__ import annotations

import pathlib

import pytest
from conftest import Shell

# No cluster, no programs, no waiting.
STUBS = "kubectl_admin() { :; }; sanitizer_runs() { :; }; sleep() { :; };"
NAMES = ("controller", "api-server", "fetch", "layers", "push", "report")
ADDRESS = "==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010\n    #0 somewhere.c:7"
LEAK = "==1==ERROR: LeakSanitizer: detected memory leaks"
UNDEFINED = "../../lib/base/str.c:7:3: runtime error: signed integer overflow"


@pytest.fixture
def logs(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "state" / "sanitizer-logs"
    folder.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        (folder / f"rl-arena_pod_uid+{name}+0.log+{number}").write_text('{"level":"info"}\n')
    return folder


def test_only_the_c_programs_images_are_others(shell: Shell) -> None:
    for name in ("controller", "fetch", "api-server", "executor"):
        done = shell(f"base_key() {{ :; }}; image_key {name}; ARENA_SANITIZE=1; image_key {name}")
        plain, sanitized = done.stdout.split()
        assert (plain != sanitized) == (name != "executor"), name


def test_logs_outlive_their_pods_and_what_comes_later_is_in_them(shell: Shell, tmp_path: pathlib.Path) -> None:
    pods = tmp_path / "state" / "pod-logs"
    for path in ("rl-arena_build_1/fetch/0.log", "rl-arena_build_1/build/0.log", "rl-arena-system_c/controller/1.log"):
        (pods / path).parent.mkdir(parents=True)
        (pods / path).write_text("first\n")
    # Two rounds: what is kept already is not in the way.
    done = shell("rounds=0; sleep() { rounds=$((rounds + 1)); [ $rounds -lt 2 ] || exit 0; }; (sanitizer_logs_keep)")
    assert done.returncode == 0, done.stderr
    file = pods / "rl-arena_build_1/fetch/0.log"
    with file.open("a") as log:
        log.write("last\n")
    file.unlink()
    kept = {one.name.rpartition("+")[0]: one.read_text() for one in (tmp_path / "state" / "sanitizer-logs").iterdir()}
    assert kept == {
        "rl-arena_build_1+fetch+0.log": "first\nlast\n",
        "rl-arena-system_c+controller+1.log": "first\n",
    }


def test_logs_without_a_report_pass(shell: Shell, logs: pathlib.Path) -> None:
    done = shell(f"{STUBS} sanitizer_check")
    assert (done.returncode, done.stdout) == (0, "no sanitizer has found anything: 6 logs\n"), done.stderr


@pytest.mark.parametrize("report", [ADDRESS, LEAK, UNDEFINED])
def test_a_report_fails_and_is_shown(shell: Shell, logs: pathlib.Path, report: str) -> None:
    (logs / "rl-arena_pod_uid+push+0.log+4").write_text(f"a line\n2026-01-01T00:00:00Z stderr F {report}\n")
    done = shell(f"{STUBS} if sanitizer_check; then exit 7; fi")
    assert done.returncode == 0
    assert report in done.stdout and "+push+" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_a_program_of_which_nothing_was_seen_fails(shell: Shell, logs: pathlib.Path, name: str) -> None:
    next(logs.glob(f"*+{name}+*")).unlink()
    done = shell(f"{STUBS} if sanitizer_check; then exit 7; fi")
    assert (done.returncode, f"no log of a container {name} " in done.stdout) == (0, True)


def test_a_program_without_a_sanitizer_fails(shell: Shell, logs: pathlib.Path) -> None:
    done = shell(f"{STUBS} sanitizer_runs() {{ [ $1 != api-server ]; }}; if sanitizer_check; then exit 7; fi")
    assert (done.returncode, "the api-server that runs has no sanitizer in it" in done.stdout) == (0, True)
